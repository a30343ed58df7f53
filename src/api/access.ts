// Who may ask what: on the unix socket whoever can open it, by TCP who has a token of the role that the route needs.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { Role, Token } from '../model/declared.ts';
import { type Route, routes } from './contract.ts';
import { toProblemResponse } from './problems.ts';

/** Before all routes; `tokens` as they are declared now. */
export function requireToken(tokens: () => readonly Token[]): MiddlewareHandler {
  return async (context, next) => {
    const [, secret] = /^Bearer (\S+)$/i.exec(context.req.header('Authorization') ?? '') ?? [];
    const role = secret === undefined ? undefined : roleOf(secret, tokens());
    if (role === undefined)
      return refuse(401, secret === undefined ? 'expected a token: Authorization: Bearer TOKEN' : 'no such token');
    if (role === 'read' && roleNeeded(context.req.method, context.req.path) === 'write')
      return refuse(403, 'expected a token of role write, got one of role read');
    return next();
  };
}

function roleOf(secret: string, tokens: readonly Token[]): Role | undefined {
  const digest = createHash('sha256').update(secret).digest();
  return tokens.find(({ sha256 }) => timingSafeEqual(digest, Buffer.from(sha256, 'hex')))?.role;
}

/** Of what is not there as well: so nobody learns what is. */
function roleNeeded(method: string, path: string): Role {
  const found = Object.values(routes).find((route: Route) => route.method === method && patternOf(route).test(path));
  return found?.role ?? 'write';
}

function patternOf({ path }: Route): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+')}$`);
}

function refuse(status: 401 | 403, detail: string): Response {
  const response = toProblemResponse({
    title: status === 401 ? 'no token' : 'not allowed',
    status,
    detail,
    code: 'not-allowed',
  });
  if (status === 401) response.headers.set('WWW-Authenticate', 'Bearer realm="fairlead"');
  return response;
}
