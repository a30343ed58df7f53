// From a keepalived.conf to a configuration: what it says of LVS, and by line what has no place there.
import { describeIssue, toProblems } from '../explain.ts';
import { formatPath, type Path } from '../problem.ts';
import { collectProblems } from '../resolve/problems.ts';
import { resolveService } from '../resolve/services.ts';
import { service as serviceSchema } from '../schema/service.ts';
import { readAddressRange } from './addresses.ts';
import { collectLosses, type Draft, type Losses } from './draft.ts';
import type { Loss } from './losses.ts';
import { readSource, type SourceOptions } from './source.ts';
import { readTree, type Statement, statementText } from './tree.ts';
import { endpoint, type Made, type Names, readVirtualServer } from './virtual-server.ts';

export interface Imported {
  readonly configuration: Draft;
  readonly losses: readonly Loss[];
}

export function importKeepalived(path: string, options: SourceOptions): Imported {
  const losses = collectLosses();
  const { lines, losses: unread } = readSource(path, options);
  losses.add(unread);
  const { statements, losses: open } = readTree(lines);
  losses.add(open);
  const groups = new Map<string, Statement>();
  for (const one of statements) if (one.keyword === 'virtual_server_group') groups.set(one.words[0] ?? '', one);
  const tls = readTls(statements, losses);
  const known = new Map<string, Path>();
  const services = statements.flatMap((statement) => {
    if (statement.keyword !== 'virtual_server') return [];
    const names = namesOf(statement, groups, losses);
    return names === undefined ? [] : admitted(readVirtualServer(statement, names, tls, losses), known, losses);
  });
  const timeouts = readGlobals(statements, losses);
  const used = new Set(statements.filter(isGroupServer).map(({ words }) => words[1] ?? ''));
  for (const [name, group] of groups) if (!used.has(name)) losses.lose(group, 'no virtual server is for it');
  for (const statement of statements) tellOther(statement, losses);
  return {
    configuration: { services, ...(Object.keys(timeouts).length > 0 && { timeouts }) },
    losses: losses.found.toSorted((a, b) => (a.file === b.file ? a.line - b.line : 0)),
  };
}

function namesOf(statement: Statement, groups: ReadonlyMap<string, Statement>, losses: Losses): Names | undefined {
  const [first = '', second = ''] = statement.words;
  if (first === 'fwmark') return { addresses: [], marks: [{ mark: Number(second) }] };
  if (first !== 'group') return { addresses: [withPort(first, second || undefined)], marks: [] };
  const group = groups.get(second);
  if (group === undefined) losses.lose(statement, `there is no virtual_server_group ${second}`);
  return group && readGroup(group, losses);
}

function isGroupServer({ keyword, words }: Statement): boolean {
  return keyword === 'virtual_server' && words[0] === 'group';
}

function withPort(address: string, port: string | undefined): string {
  return endpoint({ words: [address, port ?? '0'] });
}

function readGroup(group: Statement, losses: Losses): Names {
  const addresses: string[] = [];
  const marks: Names['marks'][number][] = [];
  for (const member of group.block ?? []) {
    if (member.keyword === 'fwmark') {
      const [mark, family] = member.words;
      marks.push({ mark: Number(mark), ...(family && { family: family === 'inet6' ? 'ipv6' : 'ipv4' }) });
      continue;
    }
    const range = readAddressRange(member.keyword);
    if (range === undefined) losses.lose(member, 'expected an address, a range of up to 65536 of them, or fwmark');
    else addresses.push(...range.map((address) => withPort(address, member.words[0])));
  }
  return { addresses, marks };
}

/** Those that are right; a real server that is not is left out of its service, and what else is wrong leaves out the service. */
function admitted({ statement, services }: Made, known: Map<string, Path>, losses: Losses): readonly Draft[] {
  return services.flatMap((draft) => {
    const wrong = findWrong(draft, new Map(known));
    const servers = (statement.block ?? []).filter(({ keyword }) => keyword === 'real_server');
    const bad = new Set(wrong.flatMap(({ path }) => (path[0] === 'destinations' ? [Number(path[1])] : [])));
    for (const { path, message } of wrong) {
      const server = path[0] === 'destinations' ? servers[Number(path[1])] : undefined;
      const where = path.length === 0 ? '' : `${formatPath(path)}: `;
      losses.lose(server ?? statement, `left out: ${where}${message}`);
    }
    if (wrong.some(({ path }) => path[0] !== 'destinations')) return [];
    const destinations = (draft.destinations as readonly unknown[]).filter((_, index) => !bad.has(index));
    const kept = { ...draft, destinations };
    findWrong(kept, known);
    return [kept];
  });
}

function findWrong(draft: Draft, known: Map<string, Path>): readonly { path: Path; message: string }[] {
  const parsed = serviceSchema.safeParse(draft, { error: describeIssue, reportInput: true });
  if (!parsed.success) return toProblems(parsed.error.issues);
  const problems = collectProblems();
  resolveService(parsed.data, {}, [], known, problems);
  return problems.found;
}

function readTls(statements: readonly Statement[], losses: Losses): Draft {
  const tls: Draft = {};
  for (const { block = [] } of statements.filter(({ keyword }) => keyword === 'SSL'))
    for (const statement of block) {
      const { keyword, words } = statement;
      if (keyword === 'ca' || keyword === 'certificate' || keyword === 'key') tls[keyword] = words[0];
      else losses.lose(statement, 'keys have no password here');
    }
  return tls;
}

/** The timeouts; all else of global_defs is told. */
function readGlobals(statements: readonly Statement[], losses: Losses): Draft {
  const timeouts: Draft = {};
  const names: Readonly<Record<string, string>> = { tcp: 'tcp', tcpfin: 'tcp_fin', udp: 'udp' };
  for (const { block = [] } of statements.filter(({ keyword }) => keyword === 'global_defs'))
    for (const statement of block) {
      const { keyword, words } = statement;
      if (keyword !== 'lvs_timeouts') losses.lose(statement, globalReason(keyword));
      else
        for (let at = 0; at + 1 < words.length; at += 2) {
          const name = names[words[at] ?? ''];
          if (name !== undefined) timeouts[name] = `${words[at + 1]}s`;
        }
    }
  return timeouts;
}

function globalReason(keyword: string): string {
  if (/^vrrp_|^garp_|router_id|^default_interface$|^dynamic_interfaces$/.test(keyword))
    return 'VRRP stays with keepalived';
  if (/smtp|email/.test(keyword)) return 'no mail is sent: notify runs a program';
  if (keyword === 'lvs_sync_daemon') return 'connections are not synchronised by it: ipvsadm --start-daemon';
  if (/^lvs_flush/.test(keyword)) return 'what is no more declared goes, and what ipvsadm added stays';
  if (/snmp|dbus/.test(keyword)) return 'there is none of it here';
  return 'it is about keepalived itself';
}

const ours = ['virtual_server', 'virtual_server_group', 'global_defs', 'SSL'];

function tellOther(statement: Statement, losses: Losses): void {
  const { keyword } = statement;
  if (ours.includes(keyword)) return;
  if (/^vrrp_|^track_|^garp_group|^interface_up_down|^linkbeat/.test(keyword))
    losses.lose(statement, 'VRRP stays with keepalived');
  else if (/^static_|^virtual_(routes|rules)/.test(keyword))
    losses.lose(statement, 'addresses, routes and rules stay with keepalived');
  else if (keyword === 'bfd_instance') losses.lose(statement, 'BFD stays with keepalived');
  else losses.lose(statement, `${statementText(statement) === keyword ? 'this' : 'it'} is not known here`);
}
