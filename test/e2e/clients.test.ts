// Behind LVS-FULLNAT unmodified servers see the client: what a director tells in a handshake, accept() and getpeername() answer.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addServices, dip, fairlead, inUrl, type Network, openNetwork, type RealServer } from './network.ts';
import { offload, useXdp } from './xdp.ts';

const dips = { 4: dip, 6: 'fd00:b::254' } as const;

describe.each([4, 6] as const)('by IPv%i', (family) => {
  let network: Network;
  let realServer: RealServer;

  beforeAll(async () => {
    network = await openNetwork('fullnat', family);
    [realServer] = network.realServers;
    await addServices(network, [{ protocol: 'tcp', port: 80, realServers: [realServer] }]);
  });

  afterAll(async () => {
    await realServer.attempt([fairlead, 'realserver', 'reset']);
    await network[Symbol.asyncDispose]();
  });

  test('a server sees the director, until it is told whom to believe', async () => {
    expect(await seen()).toBe(dips[family]);
    await realServer.run(fairlead, 'realserver', 'add', network.vip, '--method', 'fullnat', '--director', dips[family]);
    expect(await seen()).toBe(clientOf(network));
  });

  test("the port is the client's as well", async () => {
    const port = family === 4 ? 40_123 : 40_124;
    expect(await who('--local-port', String(port))).toBe(`${clientOf(network)} ${port}`);
  });

  test('whoever makes the checksums', async () => {
    for (const host of [network.client, network.director, realServer]) {
      await offload(host, 'tx', 'off');
      expect(await seen()).toBe(clientOf(network));
    }
  });

  test('by XDP', async () => {
    await useXdp(network);
    expect(await seen()).toBe(clientOf(network));
  });

  test('many at once, each by its own address and port', async () => {
    const ports = Array.from({ length: 100 }, (_, index) => 20_000 + index);
    const asked = ports.map((port) => who('--local-port', String(port)));
    expect(await Promise.all(asked)).toEqual(ports.map((port) => `${clientOf(network)} ${port}`));
  });

  test('nobody else is believed', async () => {
    const stranger = family === 4 ? '10.1.0.99' : 'fd00:b::99';
    await realServer.run(fairlead, 'realserver', 'reset');
    await realServer.run(fairlead, 'realserver', 'add', network.vip, '--method', 'fullnat', '--director', stranger);
    expect(await seen()).toBe(dips[family]);
    const { clients } = JSON.parse(await realServer.run(fairlead, 'realserver', 'status', '-o', 'json'));
    expect(clients.told).toBe(0);
    expect(clients.notFromDirector).toBeGreaterThan(0);
  });

  test('reset leaves nothing', async () => {
    await realServer.run(fairlead, 'realserver', 'reset');
    expect(await seen()).toBe(dips[family]);
    expect(await realServer.run('tc', 'qdisc', 'show', 'dev', 'inner')).not.toContain('clsact');
  });

  async function seen(): Promise<string> {
    return (await who()).split(' ')[0] ?? '';
  }

  async function who(...options: readonly string[]): Promise<string> {
    const url = `http://${inUrl(network.vip)}/who`;
    return await network.client.run('curl', '-sS', '--max-time', '10', ...options, url);
  }
});

function clientOf({ family }: Network): string {
  return family === 4 ? '10.0.0.1' : 'fd00:a::1';
}
