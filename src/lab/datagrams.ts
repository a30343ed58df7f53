// Sends datagrams, each from another port: so many clients at once. Arguments: address, port, how many; beyond what there are ports,
// to the next addresses.
import { createSocket } from 'node:dgram';
import { FairleadError } from '../model/error.ts';

const [address = '', port = '', count = ''] = process.argv.slice(2);
const firstPort = 1024;
const ports = 65_536 - firstPort;
/** Sockets open at a time. */
const atOnce = 500;

function addressAt(number: number): string {
  const bytes = address.split('.').map(Number);
  if (bytes.length !== 4) throw new FairleadError('bad-input', `expected an IPv4 address, got "${address}"`);
  const value = Buffer.from(bytes).readUInt32BE() + number;
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}

/** To as many addresses as it must be. A port that somebody has is left out. */
function sendFrom(source: number, addresses: readonly string[]): Promise<void> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    socket.on('error', () => socket.close());
    socket.on('close', resolve);
    socket.bind(source, async () => {
      for (const to of addresses) await new Promise((sent) => socket.send('', Number(port), to, sent));
      socket.close();
    });
  });
}

const wanted = Number(count);
for (let from = 0; from < Math.min(wanted, ports); from += atOnce) {
  const sources = Array.from({ length: Math.min(atOnce, wanted - from, ports - from) }, (_, index) => from + index);
  await Promise.all(
    sources.map((source) => {
      const addresses = Array.from({ length: Math.ceil((wanted - source) / ports) }, (_, number) => addressAt(number));
      return sendFrom(firstPort + source, addresses);
    }),
  );
}
