// ipvsadm's listing order. It is no total order: it takes the sign of 32-bit differences, so 192.168.0.1, 10.0.0.1 and
// 127.0.0.1 form a cycle, and what comes out depends on the order going in and on the merge sort of glibc's qsort.
import type { Address } from '../../model/address.ts';
import type { Destination, Protocol, ServiceIdentity } from '../../model/service.ts';

export function sortServices<S extends { readonly identity: ServiceIdentity }>(services: readonly S[]): readonly S[] {
  return mergeSort(services, (one, other) => compareWords(serviceWords(one.identity), serviceWords(other.identity)));
}

export function sortDestinations<D extends Pick<Destination, 'rip' | 'port'>>(
  destinations: readonly D[],
): readonly D[] {
  return mergeSort(destinations, (one, other) => {
    // libipvs compares as many words as the first one's family has, and finds zeros behind an IPv4 address.
    const width = one.rip.family === 6 ? 4 : 1;
    const words = ({ rip, port }: D) => [...addressWords(rip).slice(0, width), port];
    return compareWords(words(one), words(other));
  });
}

const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** Mark, family, protocol, address, port; a mark's service has neither of the last three. */
function serviceWords(identity: ServiceIdentity): readonly number[] {
  if (identity.kind === 'mark') return [identity.mark, identity.family, 0, 0, 0, 0, 0, 0];
  const { vip, protocol, port } = identity;
  return [0, vip.family, protocolNumbers[protocol], ...addressWords(vip), port];
}

function addressWords({ bytes }: Address): readonly number[] {
  return [0, 4, 8, 12].map((at) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(at, at + 4);
    return (a << 24) | (b << 16) | (c << 8) | d;
  });
}

function compareWords(one: readonly number[], other: readonly number[]): number {
  for (const [at, word] of one.entries()) {
    const difference = (word - (other[at] ?? 0)) | 0;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** As glibc's: the first half is the shorter one, and equal elements keep their order. */
function mergeSort<Item>(items: readonly Item[], compare: (one: Item, other: Item) => number): readonly Item[] {
  if (items.length < 2) return items;
  const middle = items.length >> 1;
  const left = mergeSort(items.slice(0, middle), compare);
  const right = mergeSort(items.slice(middle), compare);
  const merged: Item[] = [];
  let fromLeft = 0;
  for (const item of right) {
    for (let next = left[fromLeft]; next !== undefined && compare(next, item) <= 0; next = left[fromLeft]) {
      merged.push(next);
      fromLeft += 1;
    }
    merged.push(item);
  }
  return [...merged, ...left.slice(fromLeft)];
}
