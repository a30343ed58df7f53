// Which kinds of services there are, so that packets look for no others, and IPv6 packets for none where there are none of theirs.
import type { Service } from '../model/service.ts';
import type { Maps } from './maps.ts';
import type { Numbers } from './vocabulary.ts';

const ftp = 21;
/** A key exchange's, which go together. */
const ikePorts: readonly number[] = [500, 4500];

/** What the services in force need. */
export function setLookups(maps: Maps, services: readonly Service[]): void {
  put(maps, 'lookups', lookupsOf(services, maps.vocabulary.numbers));
  put(maps, 'serves_six', sixOf(services, maps.vocabulary.numbers));
}

/** Before these are in force, while what they take the place of still is. */
export function addLookups(maps: Maps, services: readonly Service[]): void {
  const { numbers } = maps.vocabulary;
  const present = (member: Member): number => maps.rows('settings').number(member).get(0);
  put(maps, 'lookups', (present('lookups') | lookupsOf(services, numbers)) >>> 0);
  put(maps, 'serves_six', Math.max(present('serves_six'), sixOf(services, numbers)));
}

type Member = 'lookups' | 'serves_six';

function put(maps: Maps, member: Member, value: number): void {
  const column = maps.rows('settings').number(member);
  if (column.get(0) !== value) column.set(0, value);
}

function sixOf(services: readonly Service[], { SIX_NONE, SIX_WHOLE, SIX_TRANSLATED }: Numbers): number {
  const ofSix = services.filter(usesSix);
  if (ofSix.length === 0) return SIX_NONE;
  const isTranslated = ofSix.some(({ destinations }) =>
    destinations.some(({ method }) => method === 'masq' || method === 'fullnat'),
  );
  return isTranslated ? SIX_TRANSLATED : SIX_WHOLE;
}

/** Are a service's own packets, or its real servers', of IPv6? */
export function usesSix({ identity, destinations }: Service): boolean {
  const family = identity.kind === 'mark' ? identity.family : identity.vip.family;
  return family === 6 || destinations.some(({ rip }) => rip.family === 6);
}

function lookupsOf(services: readonly Service[], numbers: Numbers): number {
  return services.reduce((before, service) => {
    const { identity, persistenceEngine } = service;
    const lookups =
      before |
      (persistenceEngine === undefined ? 0 : numbers.LOOKUP_CALL_ID) |
      (mayHaveFtp(service) ? numbers.LOOKUP_FTP_DATA : 0);
    if (identity.kind === 'mark') return lookups | numbers.LOOKUP_MARK | numbers.LOOKUP_IKE;
    const { protocol, port } = identity;
    const ike = protocol === 'udp' && (port === 0 || ikePorts.includes(port)) ? numbers.LOOKUP_IKE : 0;
    if (port === 0) return lookups | ike | numbers.LOOKUP_ANY_PORT;
    return lookups | ike | (port === ftp ? numbers.LOOKUP_FTP : 0);
  }, 0);
}

/** ip_vs_ftp is for whatever is masqueraded at port 21, by whichever service. */
export function mayHaveFtp({ identity, destinations }: Service): boolean {
  const isAtPort = identity.kind === 'mark' || (identity.protocol === 'tcp' && [0, ftp].includes(identity.port));
  return isAtPort && destinations.some(({ method }) => method === 'masq');
}
