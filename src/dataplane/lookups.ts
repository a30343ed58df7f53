// Which kinds of services there are, so that packets look for no others.
import type { Service } from '../model/service.ts';
import type { Maps } from './maps.ts';
import type { Numbers } from './vocabulary.ts';

const ftp = 21;

/** To be told of the services before and after a change while either may be in force. */
export function setLookups(maps: Maps, services: readonly Service[]): void {
  const column = maps.rows('settings').number('lookups');
  const lookups = lookupsOf(services, maps.vocabulary.numbers);
  if (column.get(0) !== lookups) column.set(0, lookups);
}

function lookupsOf(services: readonly Service[], numbers: Numbers): number {
  return services.reduce((lookups, { identity }) => {
    if (identity.kind === 'mark') return lookups | numbers.LOOKUP_MARK;
    if (identity.port === 0) return lookups | numbers.LOOKUP_ANY_PORT;
    return identity.port === ftp ? lookups | numbers.LOOKUP_FTP : lookups;
  }, 0);
}
