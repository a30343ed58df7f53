// A real server that is the director itself, as a sorry server is: its packets go to the director's own stack as they are (Local).
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { dip, fairlead, ipvsadm, methodOption, type Network, openNetwork, startServer, vip } from './network.ts';
import { until } from './until.ts';

describe.each(['gate', 'tunnel'] as const)('by %s', (method) => {
  let network: Network;

  beforeAll(async () => {
    network = await openNetwork(method);
    await startServer(network.director, 'director', vip);
  });

  afterEach(() => network.director.run(ipvsadm, '-C'));

  afterAll(() => network[Symbol.asyncDispose]());

  test.each(['127.0.0.1', vip, dip])('a client is served by the director at %s', async (rip) => {
    const service = ['-t', `${vip}:80`];
    await network.director.run(ipvsadm, '-A', ...service, '-s', 'rr');
    await network.director.run(ipvsadm, '-a', ...service, '-r', rip, methodOption(network));
    expect(await get()).toBe('director');

    const { stdout } = await network.director.attempt([ipvsadm, '-Lnc']);
    expect(stdout).toMatch(new RegExp(`TCP .* FIN_WAIT .*${vip}:80 +${rip}:80`));
    const traced = await network.director.run(fairlead, 'trace', '10.0.0.1:4444', `${vip}:80/tcp`);
    expect(traced).toContain(`${rip}:80`);
    expect(traced).toContain("passed to this machine's own stack");
    await until(
      async () => /InPkts[\s\S]*?:80 +1 +[5-9] /.test(await network.director.run(ipvsadm, '-Ln', '--stats')),
      {
        what: 'the packets counted',
      },
    );
    const { reasons } = JSON.parse(await network.director.run(fairlead, 'status', '-o', 'json')) as Status;
    expect(reasons['no-route'] ?? 0).toBe(0);
  });

  test('the others are used beside it', async () => {
    const service = ['-t', `${vip}:80`];
    const [rs1] = network.realServers;
    await network.director.run(ipvsadm, '-A', ...service, '-s', 'rr');
    for (const rip of ['127.0.0.1', rs1.rip])
      await network.director.run(ipvsadm, '-a', ...service, '-r', rip, methodOption(network));
    const answers = [await get(), await get(), await get(), await get()];
    expect(answers.sort()).toEqual(['director', 'director', 'rs1', 'rs1']);
  });

  async function get(): Promise<string> {
    return await network.client.run('curl', '-sS', '--max-time', '5', `http://${vip}/`);
  }
});

interface Status {
  readonly reasons: Readonly<Record<string, number>>;
}
