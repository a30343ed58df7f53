// Behind LVS-FULLNAT unmodified servers of UDP see the client, and answer it by the director: what it tells in the first datagrams is
// what recvmsg() answers.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../root.ts';
import { dip, fairlead, inUrl, type Network, openNetwork, type RealServer, restore } from './network.ts';
import { offload, useXdp } from './xdp.ts';

const dips = { 4: dip, 6: 'fd00:b::254' } as const;
const clients = { 4: '10.0.0.1', 6: 'fd00:a::1' } as const;
const anyOf = { 4: '0.0.0.0', 6: '::' } as const;
const programs = fileURLToPath(new URL('programs/', import.meta.url));
const node = [process.execPath, `${programs}who.mjs`] as const;
/** Another build's name, and less of its programs: unpinned they are not attached any more. */
const takeFromPins = `
  import { readdirSync, rmSync } from 'node:fs';
  const { netnsCookie } = await import('${root}/dist/kernel/namespace.js');
  const { findPlace } = await import('${root}/dist/dataplane/place.js');
  const folder = findPlace(false).directory.replace(/[^/]*$/, 'client_' + netnsCookie());
  for (const name of readdirSync(folder).filter((one) => /^build_|_(receive|send|connect)_/.test(one))) {
    rmSync(folder + '/' + name);
    console.log(name);
  }`;
/** Of the VIP, by what answers there. */
const ports = { any: 5301, bound: 5302, python: 5303, connecting: 5304, both: 5305 } as const;

describe.each([
  [4, 'ipo'],
  [4, 'opp'],
  [6, 'opp'],
] as const)('by IPv%i, %s', (family, uoa) => {
  const client = clients[family];
  let network: Network;
  let realServer: RealServer;
  let nextPort = 20_000;

  beforeAll(async () => {
    network = await openNetwork('fullnat', family);
    [realServer] = network.realServers;
    const { rip } = realServer;
    await Promise.all([
      serve(ports.any, ...node, anyOf[family]),
      serve(ports.bound, ...node, rip),
      serve(ports.python, 'python3', `${programs}who.py`, anyOf[family]),
      serve(ports.connecting, ...node, anyOf[family], 'connect'),
      serve(ports.both, ...node, '::'),
    ]);
    await restore(
      network,
      Object.values(ports).flatMap((port) => {
        const service = `-u ${inUrl(network.vip)}:${port}`;
        return [
          `-A ${service} -s rr --uoa ${uoa}`,
          `-a ${service} -r ${inUrl(rip)}:${network.realPort(port)} --fullnat`,
        ];
      }),
    );
    await believe(dips[family]);
  });

  afterAll(async () => {
    await realServer.attempt([fairlead, 'realserver', 'reset']);
    await network[Symbol.asyncDispose]();
  });

  test.each(['any', 'bound', 'python'] as const)('%s: the address and the port are the client’s', async (kind) => {
    const port = nextPort++;
    expect(await ask(kind, port)).toEqual([`${client} ${port}`]);
  });

  test('a socket of both families shows an IPv4 client mapped', async () => {
    const port = nextPort++;
    expect(await ask('both', port)).toEqual([`${family === 4 ? '::ffff:' : ''}${client} ${port}`]);
  });

  test('a server with a socket for each client connects to the client, and is told that it did', async () => {
    const port = nextPort++;
    expect(await ask('connecting', port)).toEqual([`${client} ${port} ${client} ${port}`]);
  });

  test('later datagrams, which tell nothing, are the same client’s', async () => {
    const port = nextPort++;
    expect(await ask('any', port, 5)).toEqual(new Array(5).fill(`${client} ${port}`));
  });

  test('whoever makes the checksums', async () => {
    for (const host of [network.client, network.director, realServer]) {
      await offload(host, 'tx', 'off');
      const port = nextPort++;
      expect(await ask('any', port, 2)).toEqual([`${client} ${port}`, `${client} ${port}`]);
    }
  });

  test('by XDP', async () => {
    await useXdp(network);
    const port = nextPort++;
    expect(await ask('any', port, 2)).toEqual([`${client} ${port}`, `${client} ${port}`]);
  });

  test('many at once, each by its own address and port', async () => {
    const own = Array.from({ length: 20 }, () => nextPort++);
    expect(await Promise.all(own.map((port) => ask('any', port)))).toEqual(own.map((port) => [`${client} ${port}`]));
  });

  test('where programs of another build are, adding again puts these in their place, which go on with what those know', async () => {
    const port = nextPort++;
    expect(await ask('any', port)).toEqual([`${client} ${port}`]);
    const pins = await realServer.run(process.execPath, '--input-type=module', '-e', takeFromPins);
    expect(pins.trim().split('\n')).toHaveLength(7);
    expect((await ask('any', nextPort++))[0]?.split(' ')[0]).toBe(dips[family]);
    await believe(dips[family]);
    expect(await ask('any', port)).toEqual([`${client} ${port}`]); // of whom no director tells any more
    const another = nextPort++;
    expect(await ask('any', another)).toEqual([`${client} ${another}`]);
  });

  test('nobody else is believed, and a header that nobody takes off reaches no server', async () => {
    await realServer.run(fairlead, 'realserver', 'reset');
    await believe(family === 4 ? '10.1.0.99' : 'fd00:b::99');
    const answers = await ask('any', nextPort++);
    if (uoa === 'opp') expect(answers).toEqual([]);
    else expect(answers[0]?.split(' ')[0]).toBe(dips[family]);
    const { clients: tales } = JSON.parse(await realServer.run(fairlead, 'realserver', 'status', '-o', 'json'));
    expect(tales.told).toBe(0);
    expect(tales.notFromDirector).toBeGreaterThan(0);
  });

  async function believe(director: string): Promise<void> {
    await realServer.run(fairlead, 'realserver', 'add', network.vip, '--method', 'fullnat', '--director', director);
  }

  async function serve(port: number, ...[program, script, address, ...rest]: string[]): Promise<void> {
    const words = [program, script, address, String(network.realPort(port)), ...rest].map((word) => word ?? '');
    await realServer.start(...words).saying('ready', 'stdout', AbortSignal.timeout(10_000));
  }

  /** One question after the other, from one port; the answers that came in time. */
  async function ask(kind: keyof typeof ports, localPort: number, times = 1): Promise<readonly string[]> {
    const type = family === 4 ? 'udp4' : 'udp6';
    const program = `
      const socket = require('node:dgram').createSocket('${type}');
      let left = ${times};
      const ask = () => socket.send('who', ${ports[kind]}, '${network.vip}');
      const timer = setTimeout(() => socket.close(), 3000);
      socket.on('message', (text) => {
        console.log(String(text));
        if (--left > 0) return ask();
        clearTimeout(timer);
        socket.close();
      });
      socket.bind(${localPort}, ask);`;
    const said = await network.client.run(process.execPath, '-e', program);
    return said.split('\n').filter((line) => line !== '');
  }
});
