import type { CliCommand } from '../command.js'
import { listText } from '../format.js'
import { historyForm } from '../history-form.js'

/** `wolffia history`: how an image came to be, newest step first. */
export const command: CliCommand = {
  usage: 'IMAGE',
  arity: [1, 1],
  configure(parser) {
    parser
      .option('--format <template>', 'table, json, a Go template, or table and a template: {{.CreatedBy}} {{.Size}}')
      .option('-H, --human', 'sizes and times as people read them; as they are with --human=false')
      .addOption(parser.createOption('--no-human').hideHelp())
      .option('--no-trunc', 'the whole of each text')
      .option('--platform <os/arch>', "which of the image's platforms: linux/amd64, wasi/wasm")
      .option('-q, --quiet', 'ids only')
  },
  async run([name = ''], { format, human, trunc, platform, quiet }) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const steps = await engine.images.history(name, platform === undefined ? {} : { platform: String(platform) })
    const form = historyForm({ whole: trunc === false, human: human !== false })
    process.stdout.write(await listText(form, steps, { format: format as string | undefined, quiet: quiet === true }))
    return 0
  },
}
