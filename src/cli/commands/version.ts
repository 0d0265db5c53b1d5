import type { VersionReport } from '../../engine/version.js'
import type { CliCommand } from '../command.js'

/** `wolffia version`: what runs here. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser.option('-f, --format <template>', 'json, or a Go template: {{.Client.Version}}').option('--short', 'one line')
  },
  async run(_positional, { short, format, debug }) {
    const { versionReport } = await import('../../engine/version.js')
    const report = versionReport()
    if (format !== undefined && format !== '') {
      const { inspectTemplate, TEMPLATE_EXIT_CODE } = await import('../inspect-template.js')
      const template = inspectTemplate(format === 'json' ? '{{json .}}' : String(format), { command: 'version', debug: debug === true })
      if (template === null) return TEMPLATE_EXIT_CODE
      process.stdout.write(template(dockerForm(report)))
      return 0
    }
    const { version, node, v8, platform, kernel } = report
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

/** In docker's words. There is no server: what would be asked of it is answered by the same program. */
function dockerForm({ version, node, v8, platform, kernel }: VersionReport): object {
  const [os = '', architecture = ''] = platform.split('/')
  const arch = architecture === 'x64' ? 'amd64' : architecture
  const common = { Platform: { Name: 'wolffia' }, Version: version, Os: os, Arch: arch }
  const components = [
    { Name: 'node', Version: node.replace(/^v/, '') },
    { Name: 'v8', Version: v8 },
  ]
  return { Client: common, Server: { ...common, KernelVersion: kernel, Components: components } }
}
