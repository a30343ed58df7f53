// What definitions of commands share: the format option, and values that can't be read.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { FairleadError } from '../../../model/error.ts';

export function format(choices: readonly string[]): Option {
  return new Option('-o, --output <format>', 'how to print it').choices(choices).default(choices[0]);
}

export async function asUsage<Value>(command: Command, parse: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await parse();
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    return command.error(`error: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`);
  }
}

/** What can't be read is a mistake of the command line. */
export function usage<Value>(parse: (text: string) => Value): (text: string) => Value {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw error instanceof FairleadError ? new InvalidArgumentError(error.message) : error;
    }
  };
}
