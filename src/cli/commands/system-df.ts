import type { ContainerUsage, DiskUsageReport, ImageUsage, VolumeUsage } from '../../engine/disk-usage.js'
import type { CliCommand } from '../command.js'
import { containerForm, mountsOf } from '../container-form.js'
import { type ListForm, listText } from '../format.js'
import { imageForm, namesOf } from '../image-form.js'
import { humanDuration, humanSize } from '../output.js'

/** One kind of thing: a row of `system df`. */
interface Kind {
  readonly type: string
  readonly total: number
  readonly active: number
  readonly bytes: number
  readonly reclaimableBytes: number
}

/** `wolffia system df`: what takes how much of the disk. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser
      .option('--format <template>', 'table, json, a Go template, or table and a template: {{.Type}} {{.Size}}')
      .option('-v, --verbose', 'each image, container and volume')
  },
  async run(_positional, { format, verbose, debug }) {
    const text = format === undefined || format === '' ? undefined : String(format)
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    if (verbose !== true) {
      // What is wrong with a template is told before everything is counted.
      await listText(KIND_FORM, [], { format: text })
      process.stdout.write(await listText(KIND_FORM, kindsOf(await engine.diskUsage()), { format: text }))
      return 0
    }
    if (text === undefined || text === 'table') {
      process.stdout.write(await page(await engine.diskUsage()))
      return 0
    }
    const { inspectTemplate, TEMPLATE_EXIT_CODE } = await import('../inspect-template.js')
    const template = inspectTemplate(text === 'json' ? '{{json .}}' : text, { command: 'system df', debug: debug === true })
    if (template === null) return TEMPLATE_EXIT_CODE
    process.stdout.write(template(await inFull(await engine.diskUsage())))
    return 0
  },
}

const KIND_FORM: ListForm<Kind> = {
  typeName: '*formatter.diskUsageContext',
  columns: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
  quiet: 'Type',
  fields: {
    Type: { heading: 'TYPE', value: ({ type }) => type },
    TotalCount: { heading: 'TOTAL', value: ({ total }) => String(total) },
    Active: { heading: 'ACTIVE', value: ({ active }) => String(active) },
    Size: { heading: 'SIZE', value: ({ bytes }) => humanSize(bytes) },
    Reclaimable: {
      heading: 'RECLAIMABLE',
      value: ({ bytes, reclaimableBytes }) =>
        bytes === 0 ? humanSize(0) : `${humanSize(reclaimableBytes)} (${Math.floor((reclaimableBytes / bytes) * 100)}%)`,
    },
  },
}

function kindsOf({ images, containers, volumes }: DiskUsageReport): readonly Kind[] {
  const running = containers.filter(({ container: { status } }) => ['running', 'paused', 'restarting'].includes(status))
  const used = volumes.filter(({ volume }) => volume.containers.length > 0)
  const imagesInUse = images.items.filter((item) => item.containers > 0)
  return [
    { type: 'Images', total: images.items.length, active: imagesInUse.length, ...images },
    { type: 'Containers', total: containers.length, active: running.length, ...bytesWithout(containers, running) },
    { type: 'Local Volumes', total: volumes.length, active: used.length, ...bytesWithout(volumes, used) },
    { type: 'Build Cache', total: 0, active: 0, bytes: 0, reclaimableBytes: 0 },
  ]
}

function bytesWithout<Item extends { readonly bytes: number }>(all: readonly Item[], active: readonly Item[]) {
  const sum = (items: readonly Item[]) => items.reduce((total, { bytes }) => total + bytes, 0)
  return { bytes: sum(all), reclaimableBytes: sum(all) - sum(active) }
}

async function page({ images, containers, volumes }: DiskUsageReport): Promise<string> {
  const parts = [
    ['Images space usage:', await listText(IMAGE_FORM, imageRows(images.items), {})],
    ['Containers space usage:', await listText(CONTAINER_FORM, containers, {})],
    ['Local Volumes space usage:', await listText(VOLUME_FORM, volumes, {})],
    ['Build cache usage: 0B', 'CACHE ID   CACHE TYPE   SIZE   CREATED   LAST USED   USAGE   SHARED\n'],
  ]
  return parts.map(([heading, text]) => `${heading}\n\n${text}`).join('\n')
}

/** All rows with all their fields, as docker's template of `system df -v` has them. */
async function inFull({ images, containers, volumes }: DiskUsageReport): Promise<object> {
  const rows = async <Item>(form: ListForm<Item>, items: readonly Item[]) =>
    (await listText(form, items, { format: 'json' }))
      .split('\n')
      .filter(Boolean)
      .map((line): unknown => JSON.parse(line))
  return {
    Images: await rows(IMAGE_FORM, imageRows(images.items)),
    Containers: await rows(CONTAINER_FORM, containers),
    Volumes: await rows(VOLUME_FORM, volumes),
    BuildCache: [],
  }
}

interface ImageRow extends ImageUsage {
  readonly repository: string
  readonly tag: string
}

function imageRows(items: readonly ImageUsage[]): readonly ImageRow[] {
  return items.flatMap((item) => namesOf(item.image).map(({ repository, tag }) => ({ ...item, repository, tag })))
}

const { fields: imageFields } = imageForm({ whole: false, digests: false })
const { fields: containerFields } = containerForm({ whole: false })

const IMAGE_FORM: ListForm<ImageRow> = {
  typeName: '*formatter.diskUsageImagesContext',
  columns: ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size', 'SharedSize', 'UniqueSize', 'Containers'],
  quiet: 'ID',
  fields: {
    ...imageFields,
    Size: { heading: 'SIZE', value: ({ bytes }) => humanSize(bytes) },
    SharedSize: { heading: 'SHARED SIZE', value: ({ sharedBytes }) => humanSize(sharedBytes) },
    UniqueSize: { heading: 'UNIQUE SIZE', value: ({ bytes, sharedBytes }) => humanSize(bytes - sharedBytes) },
    Containers: { heading: 'CONTAINERS', value: ({ containers }) => String(containers) },
  },
}

const CONTAINER_FORM: ListForm<ContainerUsage> = {
  typeName: '*formatter.diskUsageContainersContext',
  columns: ['ID', 'Image', 'Command', 'LocalVolumes', 'Size', 'Created', 'Status', 'Names'],
  quiet: 'ID',
  fields: {
    ...Object.fromEntries(
      Object.entries(containerFields).map(([name, { heading, value }]) => [
        name,
        {
          heading,
          value: ({ container, bytes, spec }: ContainerUsage) =>
            value({ summary: container, image: container.image?.reference ?? '', spec, size: { writtenBytes: bytes, imageBytes: 0 } }),
        },
      ]),
    ),
    LocalVolumes: { heading: 'LOCAL VOLUMES', value: ({ spec }) => String(mountsOf(spec).filter((name) => !name.startsWith('/')).length) },
    Size: { heading: 'SIZE', value: ({ bytes }) => humanSize(bytes) },
    Created: {
      heading: 'CREATED',
      value: ({ container: { createdAt } }) => `${humanDuration(Date.now() - createdAt.getTime())} ago`,
    },
  },
}

const VOLUME_FORM: ListForm<VolumeUsage> = {
  typeName: '*formatter.diskUsageVolumesContext',
  columns: ['Name', 'Links', 'Size'],
  quiet: 'Name',
  fields: {
    Name: { heading: 'VOLUME NAME', value: ({ volume }) => volume.name },
    Links: { heading: 'LINKS', value: ({ volume }) => String(volume.containers.length) },
    Size: { heading: 'SIZE', value: ({ bytes }) => humanSize(bytes) },
  },
}
