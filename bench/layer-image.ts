import { createReadStream } from 'node:fs'
import { emptyImage, withFiles, withLayer } from '../src/image/edit.js'
import { hostPlatform } from '../src/image/platform-select.js'
import { bytesSource } from '../src/layer/source.js'
import { parseReference, withDefaultTag } from '../src/reference/normalize.js'
import { withName } from '../src/store/references.js'
import { Store } from '../src/store/store.js'
import type { Workbench } from './workbench.js'

/** An image of busybox under so many layers in all, each with a small file of its own; its name. */
export function layerImage(workbench: Workbench, layers: number): Promise<string> {
  return workbench.once(`image of ${layers} layers`, () => makeImage(workbench, `layers-${layers}`, layers))
}

async function makeImage(workbench: Workbench, name: string, layers: number): Promise<string> {
  const store = await Store.open({ root: (await workbench.engine()).home })
  await using ingest = await store.ingest()
  let image = await withLayer(ingest, await emptyImage(ingest, hostPlatform()), createReadStream(await workbench.rootTar()))
  for (let layer = 1; layer < layers; layer++) {
    const contents = () => bytesSource(Buffer.from(`${layer}\n`))
    image = await withFiles(ingest, image, [{ path: `etc/layers/${layer}`, contents }])
  }
  await ingest.commit((names) => withName(names, withDefaultTag(parseReference(name)), image.descriptor))
  return name
}
