// Whose namespaces are the laboratory's to remove.
import { expect, it } from 'vitest';
import { namespacePrefix, parseNamespace } from './names.ts';

it('knows a running laboratory by its process', () => {
  expect(parseNamespace(`${namespacePrefix(false)}director`)).toMatchObject({ host: 'director', pid: process.pid });
});

it('knows a kept laboratory by its plain names', () => {
  expect(parseNamespace(`${namespacePrefix(true)}rs1`)).toMatchObject({ host: 'rs1', pid: undefined });
});

it.each([
  'fairlead',
  'fairlead-',
  'fairlead-db',
  'fairlead-12x-client',
  'fairlead-client-2',
  'my-fairlead-client',
  'client',
])('leaves %s alone', (namespace) => {
  expect(parseNamespace(namespace)).toBeUndefined();
});
