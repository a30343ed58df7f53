// Lays a plan out in network namespaces and removes it: one namespace a host, one with a bridge for each segment.
import { FairleadError } from '../model/error.ts';
import { attempt, run } from './command.ts';
import { type Host, macOf, type Plan } from './plan.ts';

/**
 * A new namespace inherits IPv4 settings from the one it is made in: this is the kernel's own default, so that a host of
 * the laboratory is what an untouched machine is.
 */
const untouched: Readonly<Record<string, string>> = {
  ip_forward: '0',
  'conf/all/rp_filter': '0',
  'conf/default/rp_filter': '0',
  'conf/all/arp_ignore': '0',
  'conf/default/arp_ignore': '0',
  'conf/all/arp_announce': '0',
  'conf/default/arp_announce': '0',
  'conf/all/accept_local': '0',
  'conf/default/accept_local': '0',
};

const switchName = 'switch';

export function namespacesOf(plan: Plan, prefix: string): string[] {
  return [switchName, ...plan.hosts.map((host) => host.name)].map((name) => prefix + name);
}

export async function layOut(plan: Plan, prefix: string, signal: AbortSignal): Promise<void> {
  await run(['ip', '-batch', '-'], { input: hardware(plan, prefix) }, signal);
  // Before the interfaces take addresses: what is set for `default` and `all` holds for them from the start.
  await Promise.all(
    plan.hosts.map((host) => applySettings(prefix + host.name, { ...untouched, ...host.settings }, signal)),
  );
  const switching = plan.segments.map((segment) => `link set ${segment.name} up`);
  await Promise.all([
    run(
      ['ip', '-n', prefix + switchName, '-batch', '-'],
      { input: `${[...switching, ...ports(plan)].join('\n')}\n` },
      signal,
    ),
    ...plan.hosts.map((host) =>
      run(['ip', '-n', prefix + host.name, '-batch', '-'], { input: addressing(plan, host) }, signal),
    ),
  ]);
}

/** Namespaces that are not there, or that someone else is just removing, are no failure. */
export async function removeNamespaces(namespaces: readonly string[]): Promise<void> {
  const remaining = async (): Promise<string[]> => {
    const there = new Set(await listNamespaces());
    return namespaces.filter((name) => there.has(name));
  };
  const lines = (await remaining()).map((name) => `netns del ${name}\n`);
  if (lines.length === 0) return;
  const { stderr } = await attempt(['ip', '-force', '-batch', '-'], { input: lines.join('') });
  const left = await remaining();
  if (left.length > 0) throw new FairleadError('kernel', `can't remove ${left.join(', ')}: ${stderr.trim()}`);
}

export async function listNamespaces(): Promise<string[]> {
  const { stdout } = await run(['ip', 'netns', 'list']);
  return stdout.split('\n').flatMap((line) => line.split(' ')[0] || []);
}

/** Paths below /proc/sys/net/ipv4 of the namespace. */
export async function applySettings(
  namespace: string,
  settings: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<void> {
  const script = Object.entries(settings).map(([path, value]) => `echo ${value} > /proc/sys/net/ipv4/${path}\n`);
  await run(['sh', '-e'], { namespace, input: script.join('') }, signal);
}

function hardware(plan: Plan, prefix: string): string {
  const place = prefix + switchName;
  const lines = [`netns add ${place}`];
  for (const segment of plan.segments) lines.push(`link add name ${segment.name} netns ${place} type bridge`);
  for (const host of plan.hosts) {
    const namespace = prefix + host.name;
    lines.push(`netns add ${namespace}`);
    host.legs.forEach((leg, index) => {
      const ends = `address ${macOf(leg.address)} type veth peer name ${host.name}-${index} netns ${place}`;
      lines.push(`link add name eth${index} netns ${namespace} ${ends}`);
    });
  }
  return `${lines.join('\n')}\n`;
}

function ports(plan: Plan): string[] {
  return plan.hosts.flatMap((host) =>
    host.legs.map((leg, index) => `link set ${host.name}-${index} master ${leg.segment} up`),
  );
}

function addressing(plan: Plan, host: Host): string {
  const lines = ['link set lo up'];
  host.legs.forEach((leg, index) => {
    const network = plan.segments.find((segment) => segment.name === leg.segment)?.network ?? '';
    lines.push(`addr add ${leg.address}/${network.split('/')[1]} dev eth${index}`, `link set eth${index} up`);
  });
  if (host.vipOn !== undefined) lines.push(`addr add ${plan.vip}/32 dev ${host.vipOn}`);
  if (host.gateway !== undefined) lines.push(`route add default via ${host.gateway}`);
  return `${lines.join('\n')}\n`;
}
