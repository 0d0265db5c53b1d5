import type { CliCommand } from '../command.js'

/** `wolffia version`: what runs here. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser.option('--short', 'one line')
  },
  async run(_positional, { short }) {
    const { versionReport } = await import('../../engine/version.js')
    const { version, node, v8, platform, kernel } = versionReport()
    if (short === true) {
      process.stdout.write(`wolffia version ${version}\n`)
      return 0
    }
    const rows = { Version: version, Node: node, V8: v8, Platform: platform, Kernel: kernel }
    process.stdout.write('wolffia\n')
    for (const [name, value] of Object.entries(rows)) process.stdout.write(` ${`${name}:`.padEnd(10)} ${value}\n`)
    return 0
  },
}
