// Every checker against a little server of its kind, on loopback: well, ill, silent and absent.
import { createSocket } from 'node:dgram';
import { setMaxListeners } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseAddress } from '../model/address.ts';
import type { Checker, DnsChecker, HttpChecker } from '../model/check.ts';
import { readAgent } from './checkers/agent.ts';
import { probe } from './probe.ts';
import type { Target } from './target.ts';
import { certificate, privateKey } from './testdata/certificate.ts';
import type { Verdict } from './verdict.ts';

const loopback = parseAddress('127.0.0.1');
const opened: { close: () => unknown }[] = [];

afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

describe('tcp', () => {
  test('is up where a connection is taken', async () => {
    expect(await ask({ kind: 'tcp' }, await listen(() => undefined))).toMatchObject({ state: 'up' });
  });

  test('is down where it is refused, and says so', async () => {
    expect(await ask({ kind: 'tcp' }, await freePort())).toMatchObject({
      state: 'down',
      reason: 'connection refused',
    });
  });

  test('is not down because this process had no time', async () => {
    const port = await listen((socket) => socket.on('data', () => socket.end('well')));
    const check: Checker = { kind: 'tcp', send: 'how', expect: { kind: 'text', text: 'well' } };
    const asked = probe(target(port), check, 100, unending);
    const busyUntil = performance.now() + 250;
    while (performance.now() < busyUntil);
    expect(await asked).toMatchObject({ state: 'up' });
  });

  test.each([
    ['it says so', 'well', 'up'],
    ['it says something else', 'ill', 'down'],
  ])('is what it says: %s', async (_, text, state) => {
    const port = await listen((socket) => socket.on('data', (asked) => socket.end(`${asked}: ${text}`)));
    const expect_ = { kind: 'text', text: 'how: well' } as const;
    expect(await ask({ kind: 'tcp', send: 'how', expect: expect_ }, port)).toMatchObject({ state });
  });

  test.runIf(process.geteuid?.() === 0)('can be asked with a mark, and from an address', async () => {
    const port = await listen(() => undefined);
    const marked = { ...target(port), mark: 7, source: parseAddress('127.0.0.9') };
    expect(await probe(marked, { kind: 'tcp' }, 5000, unending)).toMatchObject({ state: 'up' });
  });

  test('is asked by IPv6', async () => {
    const port = await listen(() => undefined, '::1');
    expect(await probe(target(port, '::1'), { kind: 'tcp' }, 2000, unending)).toMatchObject({ state: 'up' });
  });

  test('says nothing for or against one when it is given up', async () => {
    const giveUp = AbortSignal.abort(new Error('no longer asked'));
    expect(await probe(target(80), { kind: 'tcp' }, 1000, giveUp)).toMatchObject({ state: 'unknown' });
  });
});

describe('http', () => {
  const wanted: HttpChecker = {
    kind: 'http',
    method: 'GET',
    path: '/',
    headers: {},
    statuses: [{ first: 200, last: 299 }],
  };
  const serve = async (): Promise<number> => {
    const server = createHttp((request, response) => {
      if (request.url === '/silent') return;
      response.statusCode = Number(/^\/status\/(\d+)/.exec(request.url ?? '')?.[1] ?? 200);
      response.end(`${request.method} ${request.headers.host} ${request.headers['x-probe'] ?? 'none'}\n`);
    });
    return portOf(server);
  };

  test.each<[string, Partial<HttpChecker>, Partial<Verdict>]>([
    ['a status that is well', {}, { state: 'up', reason: 'status 200' }],
    ['one that is not', { path: '/status/503' }, { state: 'down', reason: 'status 503, expected 200-299' }],
    ['one of a set', { path: '/status/404', statuses: [{ first: 200, last: 200 }, { first: 404, last: 404 }] }, { state: 'up' }], // biome-ignore format: a pair a line says less
    ['method, host and headers', { method: 'POST', host: 'www.example', headers: { 'X-Probe': 'yes' }, body: { kind: 'text', text: 'POST www.example yes' } }, { state: 'up' }], // biome-ignore format: so
    ['a text that is missing', { body: { kind: 'text', text: 'well' } }, { state: 'down' }],
    [
      'a pattern',
      { body: { kind: 'regex', source: '^GET 192\\.0\\.2\\.10 none$', flags: 'm', isForbidden: false } },
      { state: 'up' },
    ],
    ['another pattern', { body: { kind: 'regex', source: '^POST', flags: '', isForbidden: false } }, { state: 'down' }],
  ])('%s', async (_, changed, verdict) => {
    expect(await ask({ ...wanted, ...changed }, await serve())).toMatchObject(verdict);
  });

  test('a digest, as keepalived takes it', async () => {
    const port = await serve();
    const host = { ...wanted, host: 'a' };
    const right = { kind: 'digest', algorithm: 'md5', hex: '73E4E69CA2D6AE6A4EF5A5FA0C6A5F27' } as const;
    const found = await ask({ ...host, body: right }, port);
    const hex = /its md5 is (\w+)/.exec(found.reason)?.[1] ?? '';
    expect(hex).toHaveLength(32);
    expect(await ask({ ...host, body: { ...right, hex: hex.toUpperCase() } }, port)).toMatchObject({ state: 'up' });
  });

  test('silence, in time', async () => {
    const verdict = await probe(target(await serve()), { ...wanted, path: '/silent' }, 50, unending);
    expect(verdict).toMatchObject({ state: 'down', reason: 'no answer within 50 ms' });
  });

  test('what is not HTTP', async () => {
    const port = await listen((socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
    expect(await ask(wanted, port)).toMatchObject({ state: 'down' });
  });
});

describe('https', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-tls-'));
  const authorities = join(folder, 'certificate.pem');
  beforeAll(() => writeFileSync(authorities, certificate));
  afterAll(() => rmSync(folder, { recursive: true }));
  const wanted: HttpChecker = {
    kind: 'https',
    method: 'GET',
    path: '/',
    headers: {},
    statuses: [{ first: 200, last: 200 }],
  };
  const serve = (): Promise<number> =>
    portOf(createHttps({ key: privateKey, cert: certificate }, (_, response) => response.end('well')));

  test('is up without verification whoever signed', async () => {
    const check = { ...wanted, tls: { isVerified: false } };
    expect(await ask(check, await serve())).toMatchObject({ state: 'up' });
  });

  test('is down with it when nobody it trusts signed', async () => {
    const check = { ...wanted, tls: { isVerified: true, name: 'www.example' } };
    expect(await ask(check, await serve())).toMatchObject({ state: 'down' });
  });

  test.each([
    ['www.example', 'up'],
    ['other.example', 'down'],
  ])('asked for %s it is %s', async (name, state) => {
    const check = { ...wanted, tls: { isVerified: true, name, authorities } };
    expect(await ask(check, await serve())).toMatchObject({ state });
  });
});

describe('dns', () => {
  const question: DnsChecker = { kind: 'dns', name: 'www.example', type: 'A', transport: 'udp', answers: [] };

  test.each<[string, object, number, string]>([
    ['an answer', {}, 0, 'up'],
    ['the answer', { answers: ['192.0.2.7'] }, 0, 'up'],
    ['another', { answers: ['192.0.2.8'] }, 0, 'down'],
    ['SERVFAIL', {}, 2, 'down'],
    ['NXDOMAIN', {}, 3, 'down'],
    ['REFUSED', {}, 5, 'down'],
  ])('%s', async (_, changed, code, state) => {
    const port = await answerDatagrams((message) => dnsAnswer(message, code));
    expect(await ask({ ...question, ...changed } as Checker, port)).toMatchObject({ state });
  });

  test('by TCP, where it is told to or the answer is cut', async () => {
    const port = await listen((socket) =>
      socket.once('data', (bytes: Buffer) => {
        const answer = dnsAnswer(bytes.subarray(2), 0);
        socket.write(Buffer.of(0));
        socket.write(Buffer.concat([Buffer.of(answer.length), answer]));
      }),
    );
    expect(await ask({ ...question, transport: 'tcp' }, port)).toMatchObject({ state: 'up' });
    await answerDatagrams((message) => {
      const cut = dnsAnswer(message, 1);
      cut.writeUInt16BE(0x8380, 2);
      return cut;
    }, port);
    expect(await ask(question, port)).toMatchObject({ state: 'up', reason: 'www.example A is 192.0.2.7' });
  });

  test('silence', async () => {
    const port = await answerDatagrams(() => undefined);
    expect(await probe(target(port), question, 60, unending)).toMatchObject({
      state: 'down',
      reason: 'no answer within 60 ms',
    });
  });
});

describe('udp', () => {
  const check = { kind: 'udp', sendHex: Buffer.from('ping').toString('hex'), isReplyRequired: false } as const;

  test('is up with the right answer, and down with another', async () => {
    const port = await answerDatagrams((message) => Buffer.from(`got ${message}`));
    expect(await ask({ ...check, expect: { kind: 'text', text: 'got ping' } }, port)).toMatchObject({ state: 'up' });
    const other = { ...check, expect: { kind: 'text', text: 'pong' } } as const;
    expect(await ask(other, port)).toMatchObject({ state: 'down' });
  });

  test('is down where no port listens: ICMP tells', async () => {
    expect(await ask(check, await freePort())).toMatchObject({
      state: 'down',
      reason: 'the port is unreachable, by ICMP',
    });
  });

  test('without an expected answer silence is well, and with one it is not', async () => {
    const port = await answerDatagrams(() => undefined);
    expect(await probe(target(port), check, 60, unending)).toMatchObject({ state: 'up' });
    const asked: Checker = { ...check, expect: { kind: 'text', text: 'x' } };
    expect(await probe(target(port), asked, 60, unending)).toMatchObject({ state: 'down' });
  });
});

describe('smtp', () => {
  test('speaks TLS where it is told to', async () => {
    const port = await listen((socket) => {
      socket.write('220 ready\r\n');
      socket.on('data', (line) => {
        if (String(line).startsWith('EHLO')) socket.write('250-hello\r\n250 STARTTLS\r\n');
        if (!String(line).startsWith('STARTTLS')) return;
        socket.removeAllListeners('data');
        socket.write('220 go on\r\n');
        const context = createSecureContext({ key: privateKey, cert: certificate });
        const secured = new TLSSocket(socket, { isServer: true, secureContext: context });
        secured.on('error', () => undefined);
        secured.on('data', () => secured.write('250 hello again\r\n'));
      });
    });
    const well = { kind: 'smtp', helo: 'me', tls: { isVerified: false } } as const;
    expect(await ask(well, port)).toMatchObject({ state: 'up', reason: '250 hello again' });
    expect(await ask({ ...well, tls: { isVerified: true } }, port)).toMatchObject({ state: 'down' });
  });

  const mail = (banner: string, answer: string) => (socket: Socket) => {
    socket.write(banner);
    socket.on('data', (line) => String(line).startsWith('HELO') && socket.write(answer));
  };

  test.each([
    ['220-mail\r\n220 ready\r\n', '250 hello\r\n', 'up'],
    ['554 not now\r\n', '', 'down'],
    ['220 ready\r\n', '501 who?\r\n', 'down'],
  ])('%j and %j', async (banner, answer, state) => {
    expect(await ask({ kind: 'smtp', helo: 'me' }, await listen(mail(banner, answer)))).toMatchObject({ state });
  });

  test('silence is down, in time', async () => {
    const port = await listen(() => undefined);
    const verdict = await probe(target(port), { kind: 'smtp', helo: 'me' }, 60, unending);
    expect(verdict).toMatchObject({ state: 'down', reason: 'its answer: no answer within 60 ms' });
  });
});

describe.runIf(process.geteuid?.() === 0)('icmp', () => {
  test.each(['127.0.0.1', '::1'])('%s answers, and the sockets are shared', async (address) => {
    const asked = Array.from({ length: 20 }, () => probe(target(0, address), { kind: 'icmp' }, 2000, unending));
    for (const verdict of await Promise.all(asked)) expect(verdict).toMatchObject({ state: 'up' });
  });
});

describe('exec', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-exec-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const shell = (script: string, setsWeight = false): Checker => ({
    kind: 'exec',
    command: ['/bin/sh', '-c', script],
    setsWeight,
  });

  test.each<[string, boolean, object]>([
    ['exit 0', false, { state: 'up', reason: 'status 0' }],
    ['echo full; exit 1', false, { state: 'down', reason: 'status 1: full' }],
    ['exit 7', false, { state: 'down' }],
    ['exit 7', true, { state: 'up', weight: { value: 5 } }],
    ['exit 1', true, { state: 'down' }],
    ['kill -TERM $$', false, { state: 'down', reason: 'it was ended by SIGTERM' }],
  ])('%s (sets weights: %s)', async (script, setsWeight, verdict) => {
    expect(await ask(shell(script, setsWeight), 80)).toMatchObject(verdict);
  });

  test('is told who is asked about', async () => {
    const told = await ask(shell('echo $FAIRLEAD_RIP $FAIRLEAD_VIP $FAIRLEAD_ADDRESS $FAIRLEAD_PORT'), 81);
    expect(told.reason).toBe('status 0: 10.0.0.1 192.0.2.10 127.0.0.1 81');
  });

  test('ends at its timeout together with what it started', async () => {
    const pids = join(folder, 'pid');
    const script = `sleep 100 & echo $! > ${pids}.new; mv ${pids}.new ${pids}; wait`;
    const verdict = await probe(target(80), shell(script), 400, unending);
    expect(verdict).toMatchObject({ state: 'down', reason: 'no answer within 400 ms' });
    await expect.poll(() => isAlive(Number(readFileSync(pids, 'utf8')))).toBe(false);
  });

  test('a program that is not there', async () => {
    const check: Checker = { kind: 'exec', command: ['/nowhere/program'], setsWeight: false };
    expect(await ask(check, 80)).toMatchObject({ state: 'down' });
  });
});

describe('agent', () => {
  test.each<[string, object]>([
    ['up', { state: 'up' }],
    ['down # being upgraded', { state: 'down', reason: 'the agent says "being upgraded"' }],
    ['fail', { state: 'down' }],
    ['stopped', { state: 'down' }],
    ['50%', { state: 'unknown', weight: { percent: 50 } }],
    ['up 75%', { state: 'up', weight: { percent: 75 } }],
    ['ready,up,100%', { state: 'up', weight: { percent: 100, isQuiesced: false } }],
    ['drain', { state: 'unknown', weight: { isQuiesced: true } }],
    ['MAINT', { state: 'unknown', weight: { isQuiesced: true } }],
    ['maxconn:10 up', { state: 'up' }],
    ['nonsense', { state: 'unknown' }],
    ['', { state: 'unknown' }],
  ])('%j', (text, finding) => {
    expect(readAgent(`${text}\nmore\n`)).toMatchObject(finding);
  });

  test('is read up to its first line, or to its end, and may be asked', async () => {
    const talkative = await listen((socket) => socket.write('up 10%\n'));
    expect(await ask({ kind: 'agent', port: talkative }, 0)).toMatchObject({ state: 'up', weight: { percent: 10 } });
    const curt = await listen((socket) => socket.end('down'));
    expect(await ask({ kind: 'agent', port: curt }, 0)).toMatchObject({ state: 'down' });
    const asked = await listen((socket) => socket.on('data', (text) => socket.end(`${text}%\n`)));
    expect(await ask({ kind: 'agent', port: asked, send: '42' }, 0)).toMatchObject({ weight: { percent: 42 } });
  });

  test('that is not there says nothing', async () => {
    expect(await ask({ kind: 'agent', port: await freePort() }, 0)).toMatchObject({ state: 'unknown' });
  });
});

const unending = new AbortController().signal;
setMaxListeners(100, unending);

function target(port: number, address = '127.0.0.1'): Target {
  const [rip, vip] = ['10.0.0.1', '192.0.2.10'].map(parseAddress);
  return { address: parseAddress(address), port, rip: rip ?? loopback, ...(vip && { vip, vport: 80 }) };
}

function ask(check: Checker, port: number): Promise<Verdict> {
  return probe(target(port), check, 5000, unending);
}

function portOf(server: Server): Promise<number> {
  opened.push(server);
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

function listen(talk: (socket: Socket) => unknown, host = '127.0.0.1'): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    talk(socket);
  });
  opened.push(server);
  return new Promise((resolve) => server.listen(0, host, () => resolve((server.address() as AddressInfo).port)));
}

/** Nobody listens there, by TCP or UDP. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

async function answerDatagrams(answer: (message: Buffer) => Buffer | undefined, port = 0): Promise<number> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    const reply = answer(message);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  opened.push(socket);
  return socket.address().port;
}

/** www.example is 192.0.2.7, unless the code is an error. */
function dnsAnswer(query: Buffer, code: number): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(code === 0 ? 1 : 0, 6);
  head.writeUInt16BE(0, 10);
  const record = Buffer.from('c00c00010001000000000004c0000207', 'hex');
  return code === 0 ? Buffer.concat([head, record]) : head;
}

/** Not even a zombie that nobody has taken leave of counts. */
function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  return existsSync(path) && !/\) [ZX] /.test(readFileSync(path, 'utf8'));
}
