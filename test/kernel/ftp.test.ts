// FTP by masquerading: what its two ends tell each other about data connections, and the entries and numbers that follow.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/model/address.ts';
import { flowStates } from '../../src/model/director.ts';
import { takeCensus } from '../invariants.ts';
import { build, checksumErrors, type Description, flag, parse } from '../packets.ts';
import {
  type Answer,
  client,
  destination,
  openStage,
  persistence,
  rip,
  type Stage,
  service,
  six,
  vip,
} from './stage.ts';
import { until } from './until.ts';

const families = { IPv4: { vip, client, rip: rip(1) }, IPv6: { ...six, rip: six.rip(1) } } as const;
type Family = keyof typeof families;
const syn = { flags: flag.syn };
const text = { flags: flag.psh | flag.ack };

let stage: Stage;
let family: Family = 'IPv4';

beforeAll(() => {
  stage = openStage();
});

beforeEach(() => {
  family = 'IPv4';
  stage.install();
  stage.settle();
});

afterAll(() => {
  try {
    expect(takeCensus(stage.maps).violations).toEqual([]);
  } finally {
    stage?.[Symbol.dispose]();
  }
});

test('the address in an answer becomes the VIP, and later numbers follow', () => {
  connect();
  const answer = server('227 Entering Passive Mode (192,0,2,11,200,13).\r\n', { sequence: 5000 });
  expect(said(answer)).toBe('227 Entering Passive Mode (198,51,100,10,200,13).\r\n');
  expect(parse(answer.packet).ip).toMatchObject({ sequence: 5000, source: vip });
  expect(waiting()).toEqual([['LISTEN', 0, 51213, 51213]]);

  const again = server('227 Entering Passive Mode (192,0,2,11,200,13).\r\n', { sequence: 5000 });
  expect(parse(again.packet).ip.sequence).toBe(5000);
  expect(parse(server('150 ok\r\n', { sequence: 5048 }).packet).ip.sequence).toBe(5051);
  expect(parse(user('LIST\r\n', { acknowledgement: 5051 }).packet).ip.acknowledgement).toBe(5048);
  expect(parse(user('LIST\r\n', { acknowledgement: 5000 }).packet).ip.acknowledgement).toBe(5000);
  expect(waiting().length).toBe(1);

  // A shorter text later, and what was sent before it once more.
  expect(said(server('227 (192,0,102,111,4,1)\r\n', { sequence: 6000 }))).toBe('227 (198,51,100,10,4,1)\r\n');
  expect(parse(server('226 x\r\n', { sequence: 7000 }).packet).ip.sequence).toBe(7003);
  expect(parse(server('150 ok\r\n', { sequence: 5048 }).packet).ip.sequence).toBe(5051);
});

test('a text of the same length moves nothing', () => {
  connect();
  expect(said(server('227 (198,51,100,11,4,1)\r\n', { sequence: 5000 }))).toBe('227 (198,51,100,10,4,1)\r\n');
  expect(parse(server('226 x\r\n', { sequence: 6000 }).packet).ip.sequence).toBe(6000);
});

test('selective acknowledgements are moved too', () => {
  connect();
  server('227 (192,0,2,11,200,13)\r\n', { sequence: 5000 });
  const block = (left: number, right: number): Buffer => {
    const bytes = Buffer.from([1, 1, 5, 10, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.writeUInt32BE(left, 4);
    bytes.writeUInt32BE(right, 8);
    return bytes;
  };
  const { packet } = user('', { acknowledgement: 6003, tcpOptions: block(6103, 6203) });
  expect(packet.includes(block(6100, 6200))).toBe(true);
  expect(checksumErrors(packet)).toEqual([]);
});

test.each(['IPv4', 'IPv6'] as const)('a client of %s comes to its server for data, counted as no connection', (of) => {
  family = of;
  connect();
  const line = '229 Entering Extended Passive Mode (|||1026|)\r\n';
  expect(said(server(line))).toBe(line);
  expect(waiting()).toEqual([['LISTEN', 0, 1026, 1026]]);
  const { packet } = send({ ...syn, sourcePort: 4002, destinationPort: 1026 });
  expect(parse(packet).ip).toMatchObject({ destination: families[family].rip, destinationPort: 1026 });
  expect(waiting()).toEqual([['SYN_RECV', 4002, 1026, 1026]]);
  expect(
    parse(send({ ...from(), sourcePort: 1026, destinationPort: 4002, flags: flag.syn | flag.ack }).packet).ip,
  ).toMatchObject({ source: families[family].vip, sourcePort: 1026 });
  expect(stage.services()[0]).toMatchObject({ counters: { connections: 1n } });
  // Nobody waits any more.
  expect(send({ ...syn, sourcePort: 4003, destinationPort: 1026 }).verdict).toBe('pass');
});

test('an address given after all is left out', () => {
  connect();
  expect(said(server('229 (|1|192.0.2.11|1026|)\r\n'))).toBe('229 (|||1026|)\r\n');
});

test.each<[Family, string, number]>([
  ['IPv4', `PORT 203,0,113,5,19,137\r\n`, 5001],
  ['IPv4', 'eprt |1|203.0.113.5|5001|\r\n', 5001],
  ['IPv6', 'EPRT |2|2001:db8:c::5|5001|\r\n', 5001],
  ['IPv6', 'EPRT !2!2001:0DB8:c:0:0:0:0:5!5001!\r\n', 5001],
])('%s: after %s the server comes from the port below', (of, line, port) => {
  family = of;
  connect();
  expect(said(user(line))).toBe(line);
  expect(waiting()).toEqual([['LISTEN', port, 20, 20]]);
  const { packet } = send({ ...from(), ...syn, sourcePort: 20, destinationPort: port });
  expect(parse(packet).ip).toMatchObject({ source: families[family].vip, sourcePort: 20 });
  const { packet: back } = send({ flags: flag.syn | flag.ack, sourcePort: port, destinationPort: 20 });
  expect(parse(back).ip).toMatchObject({ destination: families[family].rip, destinationPort: 20 });
  send({ ...from(), flags: flag.ack, sourcePort: 20, destinationPort: port });
  expect(waiting()).toEqual([['ESTABLISHED', port, 20, 20]]);
});

describe.each(['server', 'client'] as const)('from a %s', (who) => {
  test.each(
    {
      server: [
        '227 (192,0,2,11,200,256)\r\n',
        '227 (192,0,2,11,200)\r\n',
        '227 (192,0,2,11,0,0)\r\n',
        '227 none\r\n',
        '227',
        'x227 (192,0,2,11,200,13)\r\n',
        '227 (192,0,2,11,200,13',
        '229 (|||65536|)\r\n',
        '229 (|||0|)\r\n',
        '229 (|||1026)\r\n',
        '229 (|1|192.0.2|1026|)\r\n',
        '229 (||1026|)\r\n',
      ],
      client: [
        'PORT 203,0,113,5,19\r\n',
        'PORT203,0,113,5,19\r\n',
        'EPRT |2|2001:db8::1|5001|\r\n',
        'EPRT |||5001|\r\n',
        'EPRT |1|203.0.113.5.1|5001|\r\n',
        'EPRT |1|203..113.5|5001|\r\n',
        'EPRT |1|203.0.113.5|5001\r\n',
        'NOOP\r\n',
      ],
    }[who],
  )('%j tells of no data connection', (line) => {
    connect();
    const answer = who === 'server' ? server(line) : user(line);
    expect([said(answer), waiting()]).toEqual([line, []]);
  });
});

test.each(['2001:db8::1:2:3:4:5:6', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7', '1::2::3', '12345::1', 'g::1', ''])(
  'the address "%s" is none',
  (address) => {
    family = 'IPv6';
    connect();
    user(`EPRT |2|${address}|5001|\r\n`);
    expect(waiting().length).toBe(address === '2001:db8::1:2:3:4:5:6' ? 1 : 0);
  },
);

test('a control connection lives on while its data connection does', async () => {
  connect();
  user('PORT 203,0,113,5,19,137\r\n');
  const timeouts = stage.maps.rows('settings');
  timeouts.patch(0, { timeout_s: flowStates.map((state) => (state === 'ESTABLISHED' ? 1 : 900)) });
  // A second is over, and it has been given a minute more.
  await until(() => stage.connections().some(({ virtual, expiresInS }) => virtual.port === 21 && expiresInS > 30));
  stage.setTimeouts(900);
});

test('other methods leave the text alone', () => {
  stage.install(service({ port: 21, destinations: [destination(1, 'gate', { port: 21 })] }));
  send(syn);
  send({ flags: flag.ack });
  expect(said(user('PORT 203,0,113,5,19,137\r\n'))).toBe('PORT 203,0,113,5,19,137\r\n');
  expect(stage.connections().length).toBe(1);
});

test('of a persistent service and of a mark as well', () => {
  connect(persistence(60));
  server('229 (|||1026|)\r\n');
  expect(
    stage
      .connections()
      .map(({ state }) => state)
      .sort(),
  ).toEqual(['ASSURED', 'ESTABLISHED', 'LISTEN']);
});

test('a connection from port 0 is no entry that waits', () => {
  stage.install(
    service({
      ...{ port: 0, persistence: persistence(60) },
      destinations: [destination(1, 'gate', { port: 0 }), destination(2, 'masq', { port: 0 })],
    }),
  );
  send({ ...syn, sourcePort: 0, destinationPort: 80 });
  send({ ...syn, sourcePort: 4002, destinationPort: 80 });
  const connections = stage.connections().filter(({ client: { port } }) => port > 0);
  expect(connections).toMatchObject([{ state: 'SYN_RECV', method: 'gate' }]);
  expect(stage.connections().filter(({ state }) => state === 'SYN_RECV').length).toBe(2);
});

test('what a control connection says goes by TC, its data by XDP', () => {
  connect();
  expect(user('NOOP\r\n').hook).toBe('tc');
  server('229 (|||1026|)\r\n');
  const data = { sourcePort: 4002, destinationPort: 1026 };
  send({ ...data, ...syn });
  send({ ...from(), sourcePort: 1026, destinationPort: 4002, flags: flag.syn | flag.ack });
  send({ ...data, flags: flag.ack });
  expect(send({ ...data, flags: flag.ack }).hook).toBe('xdp');
});

/** A control connection of port 4001, established. */
function connect(lasting?: ReturnType<typeof persistence>): void {
  const ends = families[family];
  stage.install(
    service({
      ...{ vip: ends.vip, port: 21, ...(lasting && { persistence: lasting }) },
      destinations: [destination(1, 'masq', { rip: parseAddress(ends.rip), port: 21 })],
    }),
  );
  send(syn);
  send({ ...from(), flags: flag.syn | flag.ack });
  send({ flags: flag.ack });
}

/** Of the real server, to the client. */
function from(): Partial<Description> & { readonly source: string } {
  const ends = families[family];
  return { source: ends.rip, sourcePort: 21, destination: ends.client, destinationPort: 4001 };
}

function send(facts: Partial<Description>): Answer & { readonly hook: 'xdp' | 'tc' } {
  const ends = families[family];
  const answer = stage.walk(
    build({
      source: ends.client,
      sourcePort: 4001,
      destination: ends.vip,
      destinationPort: 21,
      flags: flag.ack,
      ...facts,
    }),
  );
  if (answer.verdict === 'redirect') expect(checksumErrors(answer.packet)).toEqual([]);
  return answer;
}

function server(line: string, facts: Partial<Description> = {}): ReturnType<typeof send> {
  return send({ ...from(), ...text, payload: Buffer.from(line), ...facts });
}

function user(line: string, facts: Partial<Description> = {}): ReturnType<typeof send> {
  return send({ ...text, payload: Buffer.from(line), ...facts });
}

function said({ packet }: Answer): string {
  return parse(packet).ip.payload.toString('latin1');
}

/** Entries beside the control connection: state, and ports of the client, the VIP and the real server. */
function waiting(): readonly (readonly [string, number, number, number])[] {
  return stage
    .connections()
    .filter(({ virtual }) => virtual.port !== 21)
    .map(({ state, client: { port }, virtual, destination: { port: real } }) => [state, port, virtual.port, real]);
}
