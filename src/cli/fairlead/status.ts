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
    section(
      'attached',
      status.attachments.map(({ interface: name, xdp, tc }) => [
        name,
        [xdp ? 'xdp' : '', tc ? 'tc' : ''].filter(Boolean).join(', '),
      ]),
    ),
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
