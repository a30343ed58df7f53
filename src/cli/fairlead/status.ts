// fairlead status: what is attached where, how full the tables are, why packets were not forwarded.
import type { Fill, Status } from '../../dataplane/status.ts';
import type { Out } from './io.ts';
import { toJson } from './json.ts';
import { openAttached } from './open.ts';

/** Somebody has written net.ipv4.ip_forward, or net.ipv6.conf.all.forwarding. */
const withoutForwarding = (setting: string): string =>
  `${setting} is 0: no way to a new client or real server can be looked up until\n  sysctl -w ${setting}=1\n`;

export function showStatus(out: Out, output: 'table' | 'json'): void {
  using director = openAttached();
  const status = director.status();
  if (status !== undefined) out.write(output === 'json' ? toJson(status) : formatStatus(status));
}

export function formatStatus(status: Status): string {
  const sections = [
    status.missingForwarding.map(withoutForwarding).join(''),
    section('attached', attachedRows(status)),
    status.unattached.length === 0
      ? ''
      : section(
          'not attached',
          status.unattached.map(({ interface: name, why }) => [name, why]),
        ),
    section('tables', [
      ['connections', formatFill(status.connections)],
      ['services', formatFill(status.services)],
      [
        'destinations',
        formatFill(status.destinations) +
          (status.destinations.deleted === 0
            ? ''
            : `, ${status.destinations.deleted} deleted ones kept for their connections or their return`),
      ],
      ...(status.markRules.used === 0 ? [] : [['mark rules', formatFill(status.markRules)] as const]),
    ]),
    section('not forwarded', countRows(status.reasons)),
    section('events', countRows(status.events)),
  ];
  return sections.join('');
}

/** Interfaces that packets are taken from, and those where the packets are seen that this machine itself makes. */
function attachedRows({ attachments, own }: Status): readonly (readonly [string, string])[] {
  const others = own.filter((name) => !attachments.some((one) => one.interface === name));
  const hooks = (name: string, ...at: readonly (string | false)[]): string =>
    [...at, own.includes(name) && 'own packets'].filter(Boolean).join(', ');
  return [
    ...attachments.map(({ interface: name, xdp, tc }) => [name, hooks(name, xdp && 'xdp', tc && 'tc')] as const),
    ...others.map((name) => [name, hooks(name)] as const),
  ];
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  const lines = rows.length === 0 ? ['  none'] : rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
  return `${title}\n${lines.join('\n')}\n`;
}

function countRows(counts: Readonly<Record<string, bigint>>): readonly (readonly [string, string])[] {
  return Object.entries(counts).flatMap(([name, count]) => (count === 0n ? [] : [[name, `${count}`] as const]));
}

function formatFill({ used, size }: Fill): string {
  return `${used} of ${size} (${((100 * used) / size).toFixed(1)} %)`;
}
