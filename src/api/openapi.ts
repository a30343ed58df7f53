// The API's OpenAPI 3.1 document, made of the routes and of the schemas that check what comes.
import { z } from 'zod';
import { type Route, type RouteName, routes } from './contract.ts';
import * as schemas from './schemas.ts';

interface Traits {
  readonly query?: Readonly<Record<string, { readonly description: string; readonly schema: object }>>;
  /** JSON by this schema, or YAML. */
  readonly body?: z.ZodType | 'yaml';
  /** JSON by this schema; a media type without one; or nothing. */
  readonly answer: z.ZodType | string | undefined;
  readonly isConditional?: boolean;
}

const fileName = {
  name: { description: 'what errors call the configuration', schema: { type: 'string', maxLength: 1000 } },
};

const end = { schema: { type: 'string', maxLength: 100 } };
const endPlaces = {
  client: { description: 'only those of this address, or address and port', ...end },
  virtual: { description: 'likewise', ...end },
  destination: { description: 'likewise', ...end },
};

const traits: Readonly<Record<RouteName, Traits>> = {
  status: { answer: schemas.statusAnswer },
  dataplane: { answer: 'application/json' },
  services: { answer: schemas.servicesAnswer },
  zero: { body: schemas.zeroRequest, answer: undefined },
  connections: {
    query: {
      from: { description: 'next of the page before', schema: { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 } },
      ...endPlaces,
    },
    answer: schemas.connectionsAnswer,
  },
  settings: { answer: schemas.settingsAnswer },
  changeSettings: { body: schemas.settingsRequest, answer: schemas.settingsAnswer },
  markRules: { answer: schemas.markRulesAnswer },
  setMarkRules: { body: schemas.markRulesRequest, answer: schemas.markRulesAnswer, isConditional: true },
  getOverride: { answer: schemas.overrideStatus },
  override: { body: schemas.overrideRequest, answer: undefined, isConditional: true },
  lift: { body: schemas.liftRequest, answer: undefined, isConditional: true },
  getConfig: { answer: 'application/yaml' },
  apply: { query: fileName, body: 'yaml', answer: schemas.difference, isConditional: true },
  plan: { query: fileName, body: 'yaml', answer: schemas.difference },
  check: { query: fileName, body: 'yaml', answer: schemas.checkAnswer },
  reload: { answer: schemas.reloadAnswer, isConditional: true },
  journal: {
    query: { count: { description: 'the last so many', schema: { type: 'integer', minimum: 1, maximum: 999_999 } } },
    answer: schemas.journalAnswer,
  },
  events: { answer: 'text/event-stream' },
  metrics: { answer: 'text/plain' },
  openapi: { answer: 'application/json' },
};

export function toOpenApi(version: string): object {
  const registry = z.registry<{ id: string }>();
  for (const schema of Object.values(schemas)) registry.add(schema, { id: schema.meta()?.id ?? '' });
  const { schemas: components } = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` });
  const paths: Record<string, Record<string, object>> = {};
  for (const [name, route] of Object.entries(routes) as readonly [RouteName, Route][]) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: toOperation(name, route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Fairlead', version, license: { name: 'MIT', identifier: 'MIT' } },
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(components).map(([id, schema]) => [id, withoutIds(schema)])),
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'by TCP; the unix socket needs none' } },
    },
    security: [{ token: [] }, {}],
  };
}

function toOperation(name: RouteName, { path, summary, role }: Route): object {
  const { query = {}, body, answer, isConditional = false } = traits[name];
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, parameter = '']) => ({
      ...{ name: parameter, in: 'path', required: true, schema: { type: 'string' } },
      description: `its key, as /v1/status has it`,
    })),
    ...Object.entries(query).map(([parameter, facts]) => ({ name: parameter, in: 'query', ...facts })),
    ...(isConditional
      ? [{ name: 'If-Match', in: 'header', schema: { type: 'string' }, description: 'the ETag of what was read' }]
      : []),
  ];
  return {
    operationId: name,
    summary,
    description: `Needs a token of role ${role}.`,
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: { required: true, content: contentOf(body) } }),
    responses: {
      [answer === undefined ? '204' : '200']: {
        description: answer === undefined ? 'done' : 'the answer',
        ...(answer !== undefined && { content: contentOf(answer) }),
      },
      '4XX': {
        description: 'what is wrong',
        content: { 'application/problem+json': { schema: refTo(schemas.problem) } },
      },
    },
  };
}

function contentOf(schema: z.ZodType | string): object {
  if (schema === 'yaml') return { 'application/yaml': { schema: { type: 'string' } } };
  if (typeof schema === 'string')
    return { [schema]: { schema: schema === 'application/json' ? {} : { type: 'string' } } };
  return { 'application/json': { schema: refTo(schema) } };
}

function refTo(schema: z.ZodType): object {
  return { $ref: `#/components/schemas/${schema.meta()?.id}` };
}

/** Within the document they are known by their place. */
function withoutIds(schema: object): object {
  const { $id: _, $schema: __, id: ___, ...rest } = schema as Readonly<Record<string, unknown>>;
  return rest;
}
