// From a command line to the edits of the table that it asks for.
import type { Destination, Persistence } from '../../model/service.ts';
import {
  addDestination,
  addLocalAddress,
  addService,
  clearTable,
  deleteDestination,
  deleteLocalAddress,
  deleteService,
  type Edit,
  editDestination,
  editService,
  type ServiceSettings,
} from '../../model/table.ts';
import type { Invocation } from './invocation.ts';
import type { OptionName } from './options.ts';
import { refuse } from './refusal.ts';

/** None for a command that does not edit the table. */
export function editsOf(invocation: Invocation): readonly Edit[] {
  switch (invocation.command) {
    case 'add-service':
      return [addService(settings(invocation))];
    case 'edit-service':
      return [editService(settings(invocation))];
    case 'delete-service':
      return [deleteService(service(invocation))];
    case 'flush':
      return [clearTable()];
    case 'add-server':
      return [addDestination(service(invocation), destination(invocation))];
    case 'edit-server':
      return [editDestination(service(invocation), destination(invocation))];
    case 'delete-server':
      return [deleteDestination(service(invocation), destination(invocation))];
    case 'add-laddr':
      return [addLocalAddress(service(invocation), needed(invocation, 'local-address', invocation.localAddress))];
    case 'del-laddr':
      return [deleteLocalAddress(service(invocation), needed(invocation, 'local-address', invocation.localAddress))];
    default:
      return [];
  }
}

function service(invocation: Invocation) {
  return needed(invocation, 'service-address', invocation.identity);
}

function settings(invocation: Invocation): ServiceSettings {
  const { scheduler, given, mssClamp, uoa } = invocation;
  const schedulerFlags = invocation.schedulerFlags.split(',').filter((flag) => flag !== '');
  const persistence = persistenceOf(invocation);
  const engine = invocation.persistenceEngine;
  return {
    identity: service(invocation),
    scheduler,
    ...(schedulerFlags.length === 0 ? {} : { schedulerFlags }),
    ...(persistence === undefined ? {} : { persistence }),
    ...(given.has('ops') ? { onePacket: true } : {}),
    ...(mssClamp === undefined ? {} : { mssClamp }),
    ...(uoa === undefined ? {} : { uoa }),
    ...(engine === '' ? {} : { persistenceEngine: engine }),
  };
}

/** A mask alone means nothing, as in ipvsadm. */
function persistenceOf({ persistenceS: timeoutS, netmask, family }: Invocation): Persistence | undefined {
  if (timeoutS === 0) return undefined;
  const all = { family, bytes: new Array<number>(family === 6 ? 16 : 4).fill(255) };
  return { timeoutS, mask: netmask ?? all };
}

function destination(invocation: Invocation): Destination {
  const { rip, rport: port, writtenPort, method, weight, upperThreshold, lowerThreshold, tunnel } = invocation;
  return {
    rip: needed(invocation, 'real-server', rip),
    port,
    method,
    weight,
    ...(writtenPort === undefined || writtenPort === port ? {} : { askedPort: writtenPort }),
    ...(upperThreshold === 0 ? {} : { upperThreshold }),
    ...(lowerThreshold === 0 ? {} : { lowerThreshold }),
    ...(method === 'tunnel' && tunnel.type !== 'ipip' ? { tunnel } : {}),
  };
}

function needed<Value>({ command }: Invocation, option: OptionName, value: Value | undefined): Value {
  return value ?? refuse(`You need to supply the '${option}' option for the '${command}' command`);
}
