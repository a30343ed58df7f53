// ipvsadm's listing order. It is no total order: it takes the sign of 32-bit differences, so 192.168.0.1, 10.0.0.1 and
// 127.0.0.1 form a cycle, and what comes out depends on the order going in and on the merge sort of glibc's qsort.
import type { Address } from '../../model/address.ts';
import type { Destination, Protocol, ServiceIdentity } from '../../model/service.ts';

export function sortServices<S extends { readonly identity: ServiceIdentity }>(services: readonly S[]): readonly S[] {
  return sortByWords(services, ({ identity }) => serviceWords(identity));
}

export function sortDestinations<D extends Pick<Destination, 'rip' | 'port'>>(
  destinations: readonly D[],
): readonly D[] {
  return sortByWords(destinations, ({ rip, port }) => [...addressWords(rip), port]);
}

const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** Mark, family, protocol, address, port; a mark's service has none of the last three. */
function serviceWords(identity: ServiceIdentity): readonly number[] {
  if (identity.kind === 'mark') return [identity.mark, identity.family, 0, 0, 0, 0, 0, 0];
  const { vip, protocol, port } = identity;
  return [0, vip.family, protocolNumbers[protocol], ...addressWords(vip), port];
}

/** Four for IPv4 too: libipvs finds zeros behind it. */
function addressWords({ bytes }: Address): readonly number[] {
  const word = (at: number) =>
    ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  return [word(0), word(4), word(8), word(12)];
}

function sortByWords<Item>(items: readonly Item[], wordsOf: (item: Item) => readonly number[]): readonly Item[] {
  return mergeSort(items.map((item) => ({ item, words: wordsOf(item) }))).map(({ item }) => item);
}

interface Sortable<Item> {
  readonly item: Item;
  readonly words: readonly number[];
}

/** As glibc's: the first half is the shorter one, and equal elements keep their order. */
function mergeSort<Item>(items: readonly Sortable<Item>[]): readonly Sortable<Item>[] {
  if (items.length < 2) return items;
  const middle = items.length >> 1;
  const left = mergeSort(items.slice(0, middle));
  const right = mergeSort(items.slice(middle));
  const merged: Sortable<Item>[] = [];
  let fromLeft = 0;
  for (const next of right) {
    for (let before = left[fromLeft]; before && compare(before.words, next.words) <= 0; before = left[fromLeft]) {
      merged.push(before);
      fromLeft += 1;
    }
    merged.push(next);
  }
  return [...merged, ...left.slice(fromLeft)];
}

function compare(one: readonly number[], other: readonly number[]): number {
  for (let at = 0; at < one.length; at += 1) {
    const difference = ((one[at] ?? 0) - (other[at] ?? 0)) | 0;
    if (difference !== 0) return difference;
  }
  return 0;
}
