// Holds connections and does with them what standard input says, a line each; answers in lines. Arguments: the server's address.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const [to = ''] = process.argv.slice(2);

/** @typedef {{ send(text: string): void, end(): void, reset(): void }} Connection */

/** @type {Map<string, Connection>} */
const connections = new Map();

/** @type {Record<string, (id: string, ...words: string[]) => void>} */
const commands = {
  tcp: (id, port) => {
    const socket = connect({ host: to, port: Number(port), allowHalfOpen: true, noDelay: true });
    socket.on('connect', () => tell(id, 'open', String(socket.localPort)));
    socket.on('end', () => tell(id, 'ended'));
    socket.on('error', (error) =>
      tell(id, 'error', /** @type {NodeJS.ErrnoException} */ (error).code ?? error.message),
    );
    createInterface({ input: socket })
      .on('line', (line) => tell(id, 'said', line))
      .on('error', () => {});
    connections.set(id, {
      send: (text) => socket.write(`${text}\n`),
      end: () => socket.end(),
      reset: () => socket.resetAndDestroy(),
    });
  },
  udp: (id, port) => {
    const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (message) => tell(id, 'said', message.toString()));
    socket.on('error', (error) =>
      tell(id, 'error', /** @type {NodeJS.ErrnoException} */ (error).code ?? error.message),
    );
    socket.connect(Number(port), to, () => tell(id, 'open', String(socket.address().port)));
    connections.set(id, {
      send: (text) => socket.send(text),
      end: () => socket.close(),
      reset: () => socket.close(),
    });
  },
  send: (id, text) => connections.get(id)?.send(text ?? ''),
  end: (id) => connections.get(id)?.end(),
  reset: (id) => connections.get(id)?.reset(),
};

/** @param {string[]} words */
function tell(...words) {
  process.stdout.write(`${words.join(' ')}\n`);
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [command = '', id = '', ...words] = line.split(' ');
    commands[command]?.(id, ...words);
  })
  .on('close', () => process.exit(0));
tell('ready');
