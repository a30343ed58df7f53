// fairlead check: whether a configuration is right, and all that is wrong with it.
import { loadConfig } from '../../../config/load.ts';
import { ConfigError } from '../../../config/problem.ts';
import type { Declared } from '../../../model/declared.ts';
import type { Io } from '../io.ts';
import { toJson } from '../json.ts';

/** Returns whether it is. */
export function checkFile(io: Io, path: string, output: 'table' | 'json'): boolean {
  if (output === 'table') {
    io.stdout.write(`${path === '-' ? 'stdin' : path}: ${summary(loadConfig(path))}\n`);
    return true;
  }
  try {
    const declared = loadConfig(path);
    io.stdout.write(toJson({ problems: [], ...counts(declared) }));
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stdout.write(toJson({ problems: error.problems.map((problem) => ({ file: error.file, ...problem })) }));
    return false;
  }
}

function counts({ services, markRules, addresses }: Declared): Readonly<Record<string, number>> {
  return {
    services: services.length,
    destinations: services.reduce((sum, { destinations }) => sum + destinations.length, 0),
    markRules: markRules.length,
    addresses: addresses.length,
  };
}

function summary(declared: Declared): string {
  const { services = 0, destinations = 0, markRules = 0, addresses = 0 } = counts(declared);
  return [
    count(services, 'service'),
    count(destinations, 'destination'),
    ...(markRules > 0 ? [count(markRules, 'mark rule')] : []),
    ...(addresses > 0 ? [count(addresses, 'address', 'addresses')] : []),
  ].join(', ');
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
