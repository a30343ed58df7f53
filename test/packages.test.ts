// What is installed on a fresh machine is what was tested: the lock file is whole, and npm keeps stdout to the job.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { version } from '../src/cli/fairlead/version.ts';

interface Entry {
  readonly version: string;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const locked: Record<string, Entry> = JSON.parse(read('package-lock.json')).packages;
const manifest: Entry = JSON.parse(read('package.json'));

test('package-lock.json is of this package.json', () => {
  expect(locked['']?.dependencies).toEqual(manifest.dependencies);
  expect(locked['']?.devDependencies).toEqual(manifest.devDependencies);
});

test('every dependency has one exact version', () => {
  const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test('package-lock.json has the packages of every platform, or `npm ci` refuses it', () => {
  const wanted = Object.values(locked).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
  expect(wanted.filter((name) => !(`node_modules/${name}` in locked))).toEqual([]);
});

test('npm prints no banner in front of what a job prints', () => {
  expect(read('.npmrc')).toMatch(/^loglevel=silent$/m);
});

test('fairlead --version tells the version of this package', () => {
  expect(version).toBe(manifest.version);
});
