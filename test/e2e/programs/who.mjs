// A UDP server that answers each datagram with its sender's address and port. Arguments: address, port, and `connect` for a socket of
// its own for each client.
import { createSocket } from 'node:dgram';

const [address = '', port = '', way = ''] = process.argv.slice(2);
const type = address.includes(':') ? 'udp6' : 'udp4';
const server = createSocket({ type, reuseAddr: true });

server.on('message', (_, client) => {
  const text = `${client.address} ${client.port}`;
  if (way !== 'connect') {
    server.send(text, client.port, client.address);
    return;
  }
  const own = createSocket({ type, reuseAddr: true });
  own.bind(Number(port), address, () =>
    own.connect(client.port, client.address, () => {
      const { address: peer, port: peerPort } = own.remoteAddress();
      own.send(`${text} ${peer} ${peerPort}`, () => own.close());
    }),
  );
});
process.stdin.resume().on('end', () => process.exit(0)); // with whoever started it
server.bind(Number(port), address, () => process.stdout.write('ready\n'));
