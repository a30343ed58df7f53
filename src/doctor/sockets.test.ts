// What /proc/net/tcp and tcp6 print, of a machine with the least significant byte first, as sockets.
import { expect, test } from 'vitest';
import { listeningPorts, parseSockets, portsOf } from './sockets.ts';

const text = [
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
  '   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0',
  '   1: 0100007F:0277 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0',
  '   2: 647100CB:0050 017100CB:D431 06 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1',
  '   3: 0000000000000000FFFF0000647100CB:01BB 0000000000000000FFFF0000017100CB:D432 01 00000000:00000000 0',
  '   4: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 0',
  '   5: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 0',
  '   6: B80D0120000000000000000001000000:0015 00000000000000000000000000000000:0000 0A 00000000:00000000 0',
].join('\n');

test('which ports listen for others, and which are used by an address', () => {
  const sockets = parseSockets(text);
  expect(listeningPorts(sockets)).toEqual([21, 22, 8080]);
  expect(portsOf('203.0.113.100', sockets)).toEqual([80, 443]);
  expect(portsOf('2001:db8::1', sockets)).toEqual([21]);
  expect(portsOf('203.0.113.101', sockets)).toEqual([]);
});
