// The plans, laid out: every address answers from where it must, by plain routing, and nothing is left afterwards.
import { afterAll, describe, expect, it } from 'vitest';
import { attempt, run } from '../../src/lab/command.ts';
import { addressOf, labTypes } from '../../src/lab/plan.ts';
import { realServers, vip } from '../../src/lab/plans/addresses.ts';
import { plans } from '../../src/lab/plans/plans.ts';
import { layOut, listNamespaces, namespacesOf, removeNamespaces } from '../../src/lab/topology.ts';

const signal = new AbortController().signal;
const prefixOf = (type: string): string => `topology-${process.pid}-${type}-`;
const closedPort = 9;

/** A refusal is an answer: the packet got there and back. */
async function answers(namespace: string, address: string): Promise<boolean> {
  const { stderr } = await attempt(['timeout', '3', 'bash', '-c', `: <>/dev/tcp/${address}/${closedPort}`], {
    namespace,
  });
  return stderr.includes('Connection refused');
}

describe.skipIf(process.getuid?.() !== 0).each(labTypes)('the %s plan', (type) => {
  const plan = plans[type];
  const prefix = prefixOf(type);
  afterAll(() => removeNamespaces(namespacesOf(plan, prefix)));

  it('is reachable from the client, and goes away', async () => {
    await layOut(plan, prefix, signal);
    expect(await answers(`${prefix}client`, vip)).toBe(true);
    expect(await answers(`${prefix}client`, addressOf(plan, 'director'))).toBe(true);
    for (const name of realServers) {
      // NAT's are in a private network: the router has no route to them.
      const from = type === 'nat' ? 'director' : 'client';
      expect(await answers(prefix + from, addressOf(plan, name))).toBe(true);
    }
    await removeNamespaces(namespacesOf(plan, prefix));
    expect((await listNamespaces()).filter((name) => name.startsWith(prefix))).toEqual([]);
  });

  it("starts its hosts from the kernel's own settings", async () => {
    await layOut(plan, prefix, signal);
    const { stdout } = await run(['cat', '/proc/sys/net/ipv4/conf/eth0/rp_filter', '/proc/sys/net/ipv4/ip_forward'], {
      namespace: `${prefix}client`,
    });
    expect(stdout).toBe('0\n0\n');
  });
});
