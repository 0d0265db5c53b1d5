import type { InfoReport } from '../../engine/info.js'
import type { CliCommand } from '../command.js'
import { binarySize, printable } from '../output.js'

/** `wolffia info`: what is here, in docker's words. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser.option('-f, --format <template>', 'json, or a Go template: {{.Containers}} {{.KernelVersion}}')
  },
  async run(_positional, { format, debug }) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    if (format === undefined || format === '') {
      process.stdout.write(page(await engine.info()))
      return 0
    }
    const { inspectTemplate, TEMPLATE_EXIT_CODE } = await import('../inspect-template.js')
    const template = inspectTemplate(format === 'json' ? '{{json .}}' : String(format), { command: 'info', debug: debug === true })
    if (template === null) return TEMPLATE_EXIT_CODE
    process.stdout.write(template(dockerForm(await engine.info())))
    return 0
  },
}

function page(report: InfoReport): string {
  const { containers, walls, idMap, holder } = report
  const lines = [
    'Client:',
    ` Version:    ${report.version}`,
    ' Context:    default',
    ' Debug Mode: false',
    '',
    'Server:',
    ` Containers: ${containers.running + containers.paused + containers.stopped}`,
    `  Running: ${containers.running}`,
    `  Paused: ${containers.paused}`,
    `  Stopped: ${containers.stopped}`,
    ` Images: ${report.images}`,
    ` Server Version: ${report.version}`,
    ' Storage Driver: overlay',
    ' Logging Driver: json-file',
    ' Walls:',
    ...Object.entries(walls).map(([name, reason]) => `  ${name}: ${reason ?? 'can be used'}`),
    ` Id Map: ${idMapText(idMap)}`,
    ` Holder: ${holder === null ? 'none lives' : `process ${holder.pid}, ${binarySize(holder.memoryBytes)} for layers`}`,
    ` Kernel Version: ${report.kernel}`,
    ` Operating System: ${report.operatingSystem}`,
    ' OSType: linux',
    ` Architecture: ${report.architecture}`,
    ` CPUs: ${report.processors}`,
    ` Total Memory: ${binarySize(report.memoryBytes)}`,
    ` Name: ${report.hostname}`,
    ` Root Dir: ${report.home}`,
  ]
  return `${lines.map(printable).join('\n')}\n`
}

function idMapText({ ids, reason }: InfoReport['idMap']): string {
  return `${ids} ${ids === 1 ? 'id' : 'ids'}${reason === null ? '' : ` (${reason})`}`
}

/** In the words of `GET /info`, with wolffia's own under `Wolffia`. */
function dockerForm(report: InfoReport): object {
  const { running, paused, stopped } = report.containers
  return {
    Containers: running + paused + stopped,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: stopped,
    Images: report.images,
    Driver: 'overlay',
    LoggingDriver: 'json-file',
    KernelVersion: report.kernel,
    OperatingSystem: report.operatingSystem,
    OSType: 'linux',
    Architecture: report.architecture,
    NCPU: report.processors,
    MemTotal: report.memoryBytes,
    DockerRootDir: report.home,
    Name: report.hostname,
    ServerVersion: report.version,
    ClientInfo: { Version: report.version, Context: 'default', Debug: false },
    Wolffia: { Walls: report.walls, IdMap: report.idMap, Holder: report.holder },
  }
}
