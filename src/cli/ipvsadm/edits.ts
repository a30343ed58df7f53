// From a command line to the edits of the table that it asks for.
import type { Destination } from '../../model/service.ts';
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
} from '../../model/table.ts';
import { type Invocation, identityOf } from './invocation.ts';
import type { OptionName } from './options.ts';
import { refuse } from './refusal.ts';

/** None for a command that does not edit the table. */
export function editsOf(invocation: Invocation): readonly Edit[] {
  switch (invocation.command) {
    case 'add-service':
      return [addService({ identity: service(invocation), scheduler: invocation.scheduler })];
    case 'edit-service':
      return [editService({ identity: service(invocation), scheduler: invocation.scheduler })];
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
  return needed(invocation, 'service-address', identityOf(invocation));
}

function destination(invocation: Invocation): Destination {
  const { rip, rport: port, method, weight } = invocation;
  return { rip: needed(invocation, 'real-server', rip), port, method, weight };
}

function needed<Value>({ command }: Invocation, option: OptionName, value: Value | undefined): Value {
  return value ?? refuse(`You need to supply the '${option}' option for the '${command}' command`);
}
