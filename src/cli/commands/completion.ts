import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { COMPLETION_SCRIPTS } from '../completion-scripts.js'

/** `wolffia completion`: prints the script that makes a shell complete what is typed. */
export const command: CliCommand = {
  usage: 'bash|zsh|fish',
  arity: [1, 1],
  configure(parser) {
    parser.addHelpText('after', '\nFor this shell only: source <(wolffia completion bash). For every one put that line into ~/.bashrc.')
  },
  async run([shell = '']) {
    const script = Object.hasOwn(COMPLETION_SCRIPTS, shell) ? COMPLETION_SCRIPTS[shell] : undefined
    if (script === undefined)
      throw new EngineError('INVALID_ARGUMENT', `no completion for the shell "${shell}"`, { hint: 'There are bash, zsh and fish.' })
    process.stdout.write(script)
    return 0
  },
}
