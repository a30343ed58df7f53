// Endpoints of fairlead trace, of both families.
import { expect, test } from 'vitest';
import { formatEndpoint } from '../../model/address.ts';
import { parseEndpoint } from '../../model/endpoint.ts';
import { parseTarget } from './endpoints.ts';

test.each(['10.0.0.1:40000', '[2001:db8::1]:5000', '[::]:65535'])('%s is an endpoint', (text) => {
  const { address, port } = parseEndpoint(text);
  expect(formatEndpoint(address, port)).toBe(text);
});

test('a target has a protocol too', () => {
  const { protocol, target } = parseTarget('[2001:db8::100]:80/udp');
  expect(protocol).toBe('udp');
  expect(formatEndpoint(target.address, target.port)).toBe('[2001:db8::100]:80');
});
