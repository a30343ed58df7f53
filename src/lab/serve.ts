// The server process of one real server: says over HTTP and UDP which one it is and whom it sees. Arguments: name, listens.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import type { Answer } from './answer.ts';
import type { Listen } from './plan.ts';

const [name = '', listens = '[]'] = process.argv.slice(2);

function listenTcp(listen: Listen): Promise<void> {
  const server = createServer((request, response) => {
    const { remoteAddress = '', remotePort = 0, localPort = 0 } = request.socket;
    const token = new URL(request.url ?? '/', 'http://lab').searchParams.get('token') ?? '';
    const answer: Answer = { realServer: name, port: localPort, peer: remoteAddress, peerPort: remotePort, token };
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify(answer)}\n`);
  });
  return new Promise((resolve) => server.listen(listen.port, listen.address, resolve));
}

function listenUdp(listen: Listen): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('message', (message, { address, port }) => {
    const answer: Answer = {
      realServer: name,
      port: listen.port,
      peer: address,
      peerPort: port,
      token: message.toString().trim(),
    };
    socket.send(`${JSON.stringify(answer)}\n`, port, address);
  });
  return new Promise((resolve) => socket.bind(listen.port, listen.address, resolve));
}

let staying = false;
process.stdin.setEncoding('utf8').on('data', (text: string) => {
  if (text.includes('stay')) staying = true;
});
// The laboratory's end of the pipe closes when it ends, however it ends.
process.stdin.on('end', () => {
  if (!staying) process.exit(0);
});

const wanted: readonly Listen[] = JSON.parse(listens);
await Promise.all(wanted.map((listen) => (listen.protocol === 'udp' ? listenUdp(listen) : listenTcp(listen))));
process.stdout.write('ready\n');
