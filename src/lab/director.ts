// The commands of this package that a laboratory uses: ipvsadm and fairlead on the director, fairlead on real servers.
import { fileURLToPath } from 'node:url';
import type { Method } from '../model/service.ts';
import { attempt, type Outcome, run } from './command.ts';
import { addressOf, type Plan, type VirtualService } from './plan.ts';

export const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
export const ipvsadm = `${packageRoot}bin/ipvsadm`;
export const fairlead = `${packageRoot}bin/fairlead`;

export const methodOption: Readonly<Record<Method, string>> = {
  masq: '-m',
  gate: '-g',
  tunnel: '-i',
  fullnat: '--fullnat',
};

/** Lines for `ipvsadm -R`: one transaction, one process. */
export function additions(plan: Plan, services: readonly VirtualService[]): string[] {
  return services.flatMap((service) => [
    `-A ${serviceOption(plan, service)} -s rr`,
    ...service.realServers.map((name) => {
      const destination = `${addressOf(plan, name)}:${service.realPort}`;
      return `-a ${serviceOption(plan, service)} -r ${destination} ${methodOption[plan.method]} -w 1`;
    }),
  ]);
}

export function removals(plan: Plan, services: readonly VirtualService[]): string[] {
  return services.map((service) => `-D ${serviceOption(plan, service)}`);
}

export async function restore(namespace: string, lines: readonly string[], signal: AbortSignal): Promise<void> {
  await run([ipvsadm, '-R'], { namespace, input: `${lines.join('\n')}\n` }, signal);
}

export async function listServices(
  namespace: string,
  options: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  return (await run([ipvsadm, '-L', '-n', ...options], { namespace }, signal)).stdout;
}

export function detach(namespace: string): Promise<Outcome> {
  return attempt([fairlead, 'detach'], { namespace });
}

export async function addRealServer(namespace: string, { vip, method }: Plan, signal: AbortSignal): Promise<void> {
  await run([fairlead, 'realserver', 'add', vip, '--method', method], { namespace }, signal);
}

export async function resetRealServer(namespace: string, signal?: AbortSignal): Promise<void> {
  await run([fairlead, 'realserver', 'reset'], { namespace }, signal);
}

function serviceOption(plan: Plan, service: VirtualService): string {
  return `${service.protocol === 'tcp' ? '-t' : '-u'} ${plan.vip}:${service.port}`;
}
