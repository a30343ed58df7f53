// Draws a plan as a tree that starts at the client: networks hang from hosts, hosts from networks.
import type { Host, Plan, Segment } from './plan.ts';

export function drawPlan(plan: Plan): string[] {
  const client = plan.hosts.find(({ name }) => name === 'client');
  if (!client) return [];
  const drawn = new Set<string>([client.name]);
  return [describe(client, undefined), ...branches(drawSegments(plan, client, drawn))];
}

/** One text a line; the first line of each block is where its branch is tied on. */
type Block = readonly string[];

function drawSegments(plan: Plan, host: Host, drawn: Set<string>): Block[] {
  const legs = host.legs.filter(({ segment }) => !drawn.has(segment));
  // All networks of a host are taken before any of their hosts, so that no host is drawn as another's child.
  for (const { segment } of legs) drawn.add(segment);
  return legs.flatMap((leg) => {
    const segment = plan.segments.find(({ name }) => name === leg.segment);
    if (!segment) return [];
    const hosts = plan.hosts.filter(
      (each) => !drawn.has(each.name) && each.legs.some((other) => other.segment === segment.name),
    );
    for (const each of hosts) drawn.add(each.name);
    const below = hosts.map((each): Block => [describe(each, segment), ...branches(drawSegments(plan, each, drawn))]);
    return below.length === 0 ? [] : [[`[${segment.network}]`, ...branches(below)]];
  });
}

function describe(host: Host, segment: Segment | undefined): string {
  const here = host.legs.find((leg) => segment === undefined || leg.segment === segment.name)?.address ?? '';
  return `${host.name.padEnd(9)}${here.padEnd(14)} ${host.note}`.trimEnd();
}

function branches(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block, index) => {
    const last = index === blocks.length - 1;
    return block.map((line, row) => (row === 0 ? `${last ? '`' : '|'}-- ${line}` : `${last ? ' ' : '|'}   ${line}`));
  });
}
