// A real server's programs: HTTP on port 80, and on port 7 TCP and UDP that do what they are told. Arguments: name, address, shift.
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { bytes } from './bytes.mjs';

const [name = '', address = '', shift = '0'] = process.argv.slice(2);
/** @param {number} port */
const real = (port) => port + Number(shift);

/** @type {import('node:http').RequestListener} */
function serve(request, response) {
  const [, what, size] = (request.url ?? '').split('/');
  if (what === 'bytes') {
    pipeline(Readable.from(bytes(Number(size))), response, () => {});
    return;
  }
  if (what === 'digest') {
    const hash = createHash('sha256');
    pipeline(request, hash, () => response.end(hash.digest('hex')));
    return;
  }
  if (what === 'who') {
    response.end(`${request.socket.remoteAddress} ${request.socket.remotePort}`);
    return;
  }
  response.end(name);
}

/**
 * A line at a time: `fin` and `rst` end the connection in that way, all else comes back with the server's name before it.
 * @param {import('node:net').Socket} socket
 */
function obey(socket) {
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.setEncoding('utf8').on('data', (text) => {
    for (const line of String(text).trimEnd().split('\n')) {
      if (line === 'fin') socket.end();
      else if (line === 'rst') socket.resetAndDestroy();
      else if (socket.writable) socket.write(`${name} ${line}\n`);
    }
  });
}

const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
udp.on('message', (message, { address: client, port }) => {
  udp.send([`${name} `, message], port, client);
});

process.stdin.resume().on('end', () => process.exit(0)); // with whoever started it
const listeners = [
  new Promise((done) => createHttpServer(serve).listen(real(80), address, () => done(undefined))),
  new Promise((done) => createTcpServer({ allowHalfOpen: true }, obey).listen(real(7), address, () => done(undefined))),
  new Promise((done) => udp.bind(real(7), address, () => done(undefined))),
];
await Promise.all(listeners);
process.stdout.write('ready\n');
