// On a real server of gate or tunnel: clients that are reached by another route than the default one, and strict filtering.

import { readJournal } from '../../realserver/journal.ts';
import { readCounter } from '../counters.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

/** Where the default route leaves by another interface `fairlead realserver add` has loosened the filter, or would. */
export function reversePath({ vips, system, network, asked }: Ward): readonly Problem[] {
  const own = vips.find(({ vip, method }) => method !== 'fullnat' && !vip.includes(':'));
  const dropped = readCounter('TcpExt', 'IPReversePathFilter');
  if (own === undefined || dropped === 0) return [];
  const strict = (name: string): boolean =>
    Math.max(...['all', name].map((where) => Number(system.setting(where, 'rp_filter')))) === 1;
  const usable = system.interfaces.filter(
    ({ name, linkType, isUp }) =>
      linkType === 'ether' &&
      isUp &&
      system.addresses.some((one) => one.interface === name && one.isGlobal && !one.address.includes(':')),
  );
  const named = asked.clients
    .flatMap((client) => toward(client, network))
    .find((out) => usable.some(({ name }) => name !== out.name && strict(name)));
  if (named !== undefined)
    return usable
      .filter(({ name }) => name !== named.name && strict(name))
      .map(({ name }) => ({
        id: 'rp-filter',
        wrong: `strict reverse path filtering on ${name} drops packets`,
        why: `${own.method}: what the client ${named.client} sends comes from the director, and answers leave by ${named.name}; by another interface it is dropped`,
        evidence: `net.ipv4.conf.${name}.rp_filter is 1, \`ip route get ${named.client}\` names ${named.name}, and ${dropped} packets were dropped for it (TcpExtIPReversePathFilter)`,
        mend: { command: `sysctl -w net.ipv4.conf.${name}.rp_filter=2`, isSafe: true },
      }));
  if (wasLoosened()) return [];
  // Another one that is strict is told of as what `add` would change, and may have dropped all that was counted.
  if (usable.some(({ name }) => !system.waysOut.includes(name) && strict(name))) return [];
  return usable
    .filter(({ name }) => system.waysOut.includes(name) && usable.length > 1 && strict(name))
    .map(({ name }) => ({
      id: 'rp-filter',
      wrong: `strict reverse path filtering on ${name} drops packets`,
      why: `${own.method}: clients' packets come by ${name} from the director; of clients that are reached by another interface they are dropped`,
      evidence: `net.ipv4.conf.${name}.rp_filter is 1, other interfaces have routes too, and ${dropped} packets were dropped for it (TcpExtIPReversePathFilter)`,
      mend: { command: `sysctl -w net.ipv4.conf.${name}.rp_filter=2`, isSafe: true },
    }));
}

interface WayOut {
  readonly client: string;
  readonly name: string;
}

function toward(client: string, network: Ward['network']): readonly WayOut[] {
  const way = client.includes(':') ? undefined : network.wayTo(client);
  return way === undefined ? [] : [{ client, name: way.interface.name }];
}

/** What was counted may have been dropped before `add` mended it. */
function wasLoosened(): boolean {
  return readJournal().changes.some((change) => change.kind === 'setting' && change.name === 'rp_filter');
}
