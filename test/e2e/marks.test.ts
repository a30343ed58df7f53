// One mark for two ports of a VIP: a client's requests to both go to one real server, at both hooks; rules made and imported.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clientAddress, fairlead, ipvsadm, methodOption, type Network, openNetwork, restore, vip } from './network.ts';
import { startTalker } from './talk.ts';
import { useXdp } from './xdp.ts';

const otherClient = '10.0.0.2';
let network: Network;

describe.each([
  ['masq', 'tc'],
  ['masq', 'xdp'],
  ['gate', 'tc'],
  ['tunnel', 'xdp'],
] as const)('by %s at %s', (method, hook) => {
  beforeEach(async () => {
    network = await openNetwork(method);
    if (hook === 'xdp') await useXdp(network);
    await network.client.run('ip', 'address', 'add', `${otherClient}/24`, 'dev', 'outer');
    await restore(network, [
      '-A -f 7 -s rr -p 300',
      ...network.realServers.map(({ rip }) => `-a -f 7 -r ${rip} ${methodOption(network)}`),
    ]);
  });

  afterEach(() => network[Symbol.asyncDispose]());

  test('a client comes to one real server by both ports', async () => {
    const ports = `${network.realPort(80)},${network.realPort(7)}`;
    const rule = ['-p', 'tcp', '-d', vip, '--dports', ports, '-i', 'outer', '--set-mark', '7'];
    await network.director.run(fairlead, 'mark', 'add', ...rule);
    expect(await network.director.run(fairlead, 'mark', 'list')).toBe(
      `NUMBER  RULE\n     1  -p tcp -d ${vip} -i outer --dports ${ports} --set-mark 7\n`,
    );
    const first = await get(clientAddress);
    expect(first).toMatch(/^rs[123]$/);
    expect(await get(otherClient)).not.toBe(first);
    const talker = await startTalker(network);
    const talk = await talker.open('tcp', { port: network.realPort(7) });
    expect([await talk.ask(), await get(clientAddress), await talk.ask()]).toEqual([first, first, first]);
    expect(await network.director.run(ipvsadm, '-Lnc')).toMatch(
      new RegExp(`^IP .* ${clientAddress}:0 +0.0.0.7:0 `, 'm'),
    );
    expect(await traced()).toMatch(/^mark +7\nservice +mark 7, scheduler rr$/m);

    await network.director.run(fairlead, 'mark', 'delete', ...rule);
    expect(await talk.ask()).toBe(first);
    expect(await get(clientAddress)).toBe('');
    expect(await traced()).not.toContain('mark');
  });

  test('rules are imported, all or none, and go with all else', async () => {
    const [http, talk] = [network.realPort(80), network.realPort(7)];
    const good = save(
      `-A PREROUTING -d ${vip}/32 -p tcp -m multiport --dports ${http},${talk} -j MARK --set-xmark 0x7/0xffffffff`,
    );
    expect(await load(good)).toMatchObject({ status: 0, stdout: '1 rules imported\n' });
    const first = await get(clientAddress);
    expect(first).toMatch(/^rs[123]$/);

    const bad = save(
      `-A PREROUTING -d ${vip}/32 -p tcp -j MARK --set-xmark 0x8/0xffffffff`,
      '-A PREROUTING -p tcp -m conntrack --ctstate NEW -j MARK --set-xmark 0x9/0xffffffff',
    );
    const { status, stdout, stderr } = await load(bad);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('nothing was imported\nstdin:4: the match "conntrack" is not supported: -A PREROUTING');
    expect(await get(clientAddress)).toBe(first);
    expect(await network.director.run(fairlead, 'mark', 'list')).toContain(`--dports ${http},${talk} --set-mark 7`);
    expect(await network.director.run(fairlead, 'status')).toContain('mark rules    1 of 1024');

    await network.director.run(fairlead, 'detach');
    expect(await network.director.attempt([fairlead, 'mark', 'list'])).toMatchObject({ status: 1, stdout: '' });
    await network.director.run(fairlead, 'attach');
    expect(await network.director.run(fairlead, 'mark', 'list')).toBe('NUMBER  RULE\n');
  });
});

function save(...rules: readonly string[]): string {
  return ['*mangle', ':PREROUTING ACCEPT [0:0]', ...rules, 'COMMIT', ''].join('\n');
}

function load(input: string) {
  return network.director.attempt([fairlead, 'mark', 'import', '-'], { input });
}

function traced(): Promise<string> {
  const port = network.realPort(80);
  return network.director.run(fairlead, 'trace', '-i', 'outer', `${clientAddress}:4000`, `${vip}:${port}/tcp`);
}

/** '' when nobody answers. */
async function get(source: string): Promise<string> {
  const url = `http://${vip}:${network.realPort(80)}/`;
  const { stdout } = await network.client.attempt(['curl', '-s', '-m', '2', '--interface', source, url]);
  return stdout;
}
