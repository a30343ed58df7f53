// The published document is sound, and the API under requests that are made from it: nothing fails within, and nothing changes that may not.
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ApiStage, openApiStage } from '../../test/api.ts';
import { requireToken } from './access.ts';
import { routes } from './contract.ts';
import { toOpenApi } from './openapi.ts';

const text = `services:
  - tcp: 192.0.2.10:80
    checks: none
    destinations: ["10.1.0.1:8080", "10.1.0.2:8080"]
`;
type Schema = Readonly<Record<string, unknown>>;

interface Operation {
  readonly operationId: keyof typeof routes;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, object>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const document = toOpenApi('1.2.3') as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

let stage: ApiStage;

beforeEach(() => {
  stage = openApiStage(text);
});

afterEach(() => stage[Symbol.dispose]());

test('it has every route, and all that it refers to', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(operations.map(({ operation }) => operation.operationId).sort()).toEqual(Object.keys(routes).sort());
  const referred = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, id]) => id);
  expect(referred.length).toBeGreaterThan(10);
  expect(referred.filter((id) => document.components.schemas[id ?? ''] === undefined)).toEqual([]);
  for (const { operation } of operations) expect(Object.keys(operation.responses)).toHaveLength(2);
});

test('no request makes it fail, and every refusal is a problem', async () => {
  const answered = new Set<string>();
  await fc.assert(
    fc.asyncProperty(requests(), async ({ template, path, method, headers, body }) => {
      const response = await stage.app.request(path, { method, headers, ...(body !== undefined && { body }) });
      expect(response.status).toBeLessThan(500);
      if (response.status < 400) answered.add(`${method} ${template}`);
      if (path.startsWith('/v1/events')) return void (await response.body?.cancel());
      const answer = await response.text();
      if (response.status >= 400) {
        expect(response.headers.get('content-type')).toBe('application/problem+json');
        expect(JSON.parse(answer)).toMatchObject({ status: response.status });
      }
    }),
    { numRuns: 900 },
  );
  // It would find nothing where all is refused.
  expect([...answered].sort()).toEqual(operations.map(({ method, path }) => `${method} ${path}`).sort());
});

test('without a token nothing is answered, and with one to read nothing changes', async () => {
  const tokens = [{ name: 'grafana', role: 'read', sha256: digest }] as const;
  const guard = requireToken(() => tokens);
  const { Hono } = await import('hono');
  const guarded = new Hono().use(guard).route('/', stage.app);
  await fc.assert(
    fc.asyncProperty(requests(), fc.constantFrom(undefined, 'wrong', secret), async (request, token) => {
      const held = () => [stage.daemon.revision, stage.director.everything(), stage.director.zeroed.length];
      const before = held();
      const { path, method, body } = request;
      const headers = { ...request.headers, ...(token !== undefined && { Authorization: `Bearer ${token}` }) };
      const response = await guarded.request(path, { method, headers, ...(body !== undefined && { body }) });
      await response.body?.cancel();
      expect(held()).toEqual(before);
      if (token !== secret) expect(response.status).toBe(401);
      else expect(response.status).toBeLessThan(500);
      const operation = operations.find((one) => one.method === method && one.path === request.template);
      if (token === secret && operation && routes[operation.operation.operationId].role === 'write')
        expect(response.status).toBe(403);
    }),
    { numRuns: 300 },
  );
});

const secret = 'a-token';
/** Its SHA-256. */
const digest = '1f6076e3a47ba1ded08025ffe06e57af217c14f9407f33fba50f99b1c7019387';

interface Request {
  readonly template: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
}

/** As the document says, or nearly. */
function requests(): fc.Arbitrary<Request> {
  return fc.constantFrom(...operations).chain(({ path, method, operation }) => {
    const { parameters = [], requestBody } = operation;
    const values = parameters.map(({ name, in: where, schema }) =>
      fc.record({ name: fc.constant(name), where: fc.constant(where), value: parameterValue(name, schema) }),
    );
    return fc.record({ values: fc.tuple(...values), body: bodyOf(requestBody) }).map(({ values: given, body }) => {
      const of = (where: string): readonly (typeof given)[number][] => given.filter((one) => one.where === where);
      const query = new URLSearchParams(of('query').map(({ name, value }): [string, string] => [name, value]));
      const filled = of('path').reduce(
        (all, { name, value }) => all.replace(`{${name}}`, encodeURIComponent(value)),
        path,
      );
      const headers = Object.fromEntries(
        of('header').map(({ name, value }) => [name, value.replaceAll(/[^ -~]/g, '?')]),
      );
      return { template: path, path: query.size > 0 ? `${filled}?${query}` : filled, method, headers, body };
    });
  });
}

function parameterValue(name: string, schema: Schema): fc.Arbitrary<string> {
  const known: Readonly<Record<string, string>> = {
    ...{ service: 'tcp 192.0.2.10:80', destination: '10.1.0.1:8080' },
    ...{ client: '198.51.100.7', virtual: '192.0.2.10:80', from: '0', count: '5' },
  };
  return fc.oneof(
    { weight: 8, arbitrary: fc.constant(known[name] ?? '*') },
    fc.string({ minLength: 1, unit: 'binary' }).filter((value) => !/\p{Surrogate}/u.test(value)),
    valueBy(schema)
      .map(String)
      .filter((value) => value !== ''),
  );
}

function bodyOf(requestBody: Operation['requestBody']): fc.Arbitrary<Request['body']> {
  const json = requestBody?.content['application/json']?.schema;
  if (requestBody === undefined) return fc.constant(undefined);
  return fc.oneof(
    {
      weight: 8,
      arbitrary: json === undefined ? fc.constant(text) : valueBy(json).map((value) => JSON.stringify(value)),
    },
    fc.json(),
    fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
    fc.string(),
    fc.constant('null'),
  );
}

/** Of those forms of JSON Schema that the document has. */
function valueBy(schema: Schema): fc.Arbitrary<unknown> {
  const {
    $ref,
    type,
    properties = {},
    required = [],
    oneOf,
  } = schema as {
    $ref?: string;
    type?: string;
    properties?: Record<string, Schema | false>;
    required?: string[];
    oneOf?: readonly { readonly required: string[]; readonly properties: Record<string, Schema | false> }[];
  };
  if (oneOf !== undefined) {
    const each = oneOf.map((one) => ({
      type,
      required: [...required, ...one.required],
      properties: { ...properties, ...one.properties },
    }));
    return fc.oneof(...each.map(valueBy));
  }
  if ($ref !== undefined) return valueBy(document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {});
  if ('const' in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  switch (type) {
    case 'integer':
      return fc.integer({
        min: Math.max(Number(schema.minimum ?? 0), -(2 ** 31)),
        max: Math.min(Number(schema.maximum ?? 100), 2 ** 31 - 1),
      });
    case 'string':
      return fc.string({ maxLength: 30 });
    case 'array':
      return fc.array(valueBy(schema.items as Schema), { maxLength: 2 });
    case 'object':
      return fc.record(
        Object.fromEntries(
          Object.entries(properties).flatMap(([name, one]) => (one === false ? [] : [[name, valueBy(one)]])),
        ),
        {
          requiredKeys: required,
        },
      );
    default:
      return fc.jsonValue();
  }
}
