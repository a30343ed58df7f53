// fairlead trace: one packet's walk through the live tables, told step by step.
import type { DataplaneDirector } from '../../dataplane/director.ts';
import type { TraceAnswer, TraceQuestion } from '../../dataplane/trace.ts';
import { interfaces } from '../../kernel/interfaces.ts';
import { formatAddress, formatEndpoint } from '../../model/address.ts';
import type { Endpoint } from '../../model/director.ts';
import { FairleadError } from '../../model/error.ts';
import type { Tunnel } from '../../model/service.ts';
import type { Out } from './io.ts';
import { toJson } from './json.ts';
import { formatIdentity } from './list.ts';
import { openAttached } from './open.ts';

export function showTrace(out: Out, question: TraceQuestion, output: 'table' | 'json', comesBy?: string): void {
  using director = openAttached();
  const present = interfaces();
  const interfaceIndex =
    comesBy === undefined ? onlyAttached(director) : present.find(({ name }) => name === comesBy)?.index;
  if (comesBy !== undefined && interfaceIndex === undefined) {
    throw new FairleadError('interface-missing', `there is no interface ${comesBy} in this network namespace`);
  }
  const answer = director.trace({ ...question, ...(interfaceIndex === undefined ? {} : { interfaceIndex }) });
  if (answer === undefined) return;
  const names = new Map(present.map(({ index, name }) => [index, name]));
  out.write(output === 'json' ? toJson(describe(answer, names)) : formatTrace(question, answer, names));
}

function onlyAttached(director: DataplaneDirector): number | undefined {
  const [first, ...others] = director.status()?.attachments ?? [];
  return others.length === 0 ? first?.index : undefined;
}

export function formatTrace(
  { protocol, source, target }: TraceQuestion,
  answer: TraceAnswer,
  names: ReadonlyMap<number, string>,
): string {
  const { flow, nextState, isOnePacket, service, destination, rewrite, nextHop } = answer;
  const steps: [string, string][] = [
    ['packet', `${protocol} ${endpoint(source)} -> ${endpoint(target)}${protocol === 'tcp' ? ' SYN' : ''}`],
  ];
  if (flow !== undefined) steps.push(['flow', `entry ${flow.slot}, ${flow.state}${flow.isReply ? ', a reply' : ''}`]);
  else steps.push(['flow', 'none']);
  if (answer.mark !== undefined) steps.push(['mark', `${answer.mark}`]);
  if (flow === undefined)
    steps.push([
      'service',
      service === undefined ? 'none' : `${formatIdentity(service.identity)}, scheduler ${service.scheduler}`,
    ]);
  if (destination !== undefined)
    steps.push([
      'destination',
      `${endpoint({ address: destination.rip, port: destination.port })}, ${destination.method}`,
    ]);
  if (isOnePacket) steps.push(['new flow', 'none: each packet is scheduled by itself']);
  else if (nextState !== undefined && flow === undefined) steps.push(['new flow', nextState]);
  else if (nextState !== undefined && flow?.state !== nextState)
    steps.push(['state', `${flow?.state} -> ${nextState}`]);
  if (rewrite !== undefined) steps.push(['rewrite', `${endpoint(rewrite.source)} -> ${endpoint(rewrite.target)}`]);
  else if (destination?.method === 'tunnel' && nextHop !== undefined)
    steps.push([
      'rewrite',
      `outer ${formatAddress(nextHop.source)} -> ${formatAddress(destination.rip)}, ${tunnelText(destination.tunnel)}`,
    ]);
  else if (destination?.method === 'gate') steps.push(['rewrite', "none but the destination's MAC"]);
  if (nextHop !== undefined)
    steps.push([
      'next hop',
      `${formatAddress(nextHop.gateway)} dev ${names.get(nextHop.interfaceIndex) ?? nextHop.interfaceIndex}, mtu ${nextHop.mtu}`,
    ]);
  steps.push(['verdict', verdictText(answer)]);
  return steps.map(([step, text]) => `${step.padEnd(12)} ${text}\n`).join('');
}

function tunnelText(tunnel: Tunnel | undefined): string {
  if (tunnel === undefined) return 'ipip';
  const { type, port, checksum } = tunnel;
  const sum = { none: '', full: ', with checksum', remote: ', with remote checksum' }[checksum];
  return `${type}${type === 'gue' ? ` port ${port}` : ''}${sum}`;
}

function verdictText({ verdict, reason, service, flow }: TraceAnswer): string {
  if (verdict === 'dropped') return `dropped: ${reason}`;
  if (verdict === 'forwarded') return 'forwarded';
  return service === undefined && flow === undefined
    ? "passed to this machine's own stack: no service has this address and port"
    : "passed to this machine's own stack";
}

function endpoint({ address, port }: Endpoint): string {
  return formatEndpoint(address, port);
}

function describe(
  { service, destination, rewrite, nextHop, ...rest }: TraceAnswer,
  names: ReadonlyMap<number, string>,
): object {
  return {
    ...rest,
    ...(service === undefined ? {} : { service: formatIdentity(service.identity), scheduler: service.scheduler }),
    ...(destination === undefined ? {} : { destination: { ...destination, rip: formatAddress(destination.rip) } }),
    ...(rewrite === undefined
      ? {}
      : { rewrite: { source: endpoint(rewrite.source), target: endpoint(rewrite.target) } }),
    ...(nextHop === undefined
      ? {}
      : {
          nextHop: {
            interface: names.get(nextHop.interfaceIndex),
            gateway: formatAddress(nextHop.gateway),
            source: formatAddress(nextHop.source),
            mtu: nextHop.mtu,
          },
        }),
  };
}
