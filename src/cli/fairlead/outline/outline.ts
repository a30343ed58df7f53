// All commands as values, read from the definitions that run them: completions and manual pages are made of these, and can't be stale.
import type { Argument, Command, Option } from 'commander';
import { describeDoctor } from '../../../doctor/main.ts';
import { describeRealserver } from '../../../realserver/main.ts';
import type { Io } from '../io.ts';

export interface CommandOutline {
  /** `['set', 'weight']`; of fairlead itself: none. */
  readonly path: readonly string[];
  readonly description: string;
  readonly arguments: readonly ArgumentOutline[];
  readonly options: readonly OptionOutline[];
  readonly commands: readonly CommandOutline[];
}

export interface ArgumentOutline {
  readonly name: string;
  readonly description: string;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
  readonly choices: readonly string[];
}

export interface OptionOutline {
  /** As they are typed: `['-o', '--output']`. */
  readonly names: readonly string[];
  /** What the value is called; undefined: it takes none. */
  readonly value: string | undefined;
  readonly description: string;
  readonly choices: readonly string[];
  /** As a person would write it. */
  readonly defaultValue: string | undefined;
  readonly isMandatory: boolean;
}

const silent: Io = { stdout: { write: () => undefined }, stderr: { write: () => undefined } };

/** Of `program`, fairlead itself. */
export function outlineAll(program: Command): CommandOutline {
  // These read their own words.
  const own = new Map([
    ['doctor', describeDoctor(silent)],
    ['realserver', describeRealserver(silent)],
  ]);
  return outlineOf(program, [], (command) => own.get(command.name()) ?? command);
}

/** The command and all below it. */
export function flatten(command: CommandOutline): readonly CommandOutline[] {
  return [command, ...command.commands.flatMap(flatten)];
}

function outlineOf(shown: Command, path: readonly string[], definition: (command: Command) => Command): CommandOutline {
  const command = definition(shown);
  const help = command.createHelp();
  return {
    path,
    description: command.description(),
    arguments: command.registeredArguments.map(outlineOfArgument),
    options: help.visibleOptions(command).map(outlineOfOption),
    commands: help
      .visibleCommands(command)
      .filter((one) => one.name() !== 'help')
      .map((one) => outlineOf(one, [...path, one.name()], definition)),
  };
}

function outlineOfArgument(argument: Argument): ArgumentOutline {
  return {
    name: argument.name(),
    description: argument.description,
    isRequired: argument.required,
    isVariadic: argument.variadic,
    choices: argument.argChoices ?? [],
  };
}

function outlineOfOption(option: Option): OptionOutline {
  const [, value] = /[<[](.*?)(?:\.\.\.)?[>\]]$/.exec(option.flags) ?? [];
  const { defaultValue } = option as { defaultValue: unknown };
  const isTold = typeof defaultValue === 'number' || (typeof defaultValue === 'string' && defaultValue !== '');
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    value,
    description: option.description,
    choices: option.argChoices ?? [],
    defaultValue: isTold ? String(defaultValue) : undefined,
    isMandatory: option.mandatory,
  };
}
