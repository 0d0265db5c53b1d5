import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { CreateRequest, Task } from '../../src/runtime/runtime.js'
import type { Rootfs } from '../../src/runtime/spec.js'
import { NATIVE, WASM } from '../support/requirements.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'
import { type WasmWall, withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/prewarmed container')
const walled = test.needs(WASM, NATIVE)

/** The same layers, and how often the tree was asked for. */
function counted({ layers, tree }: Rootfs): { readonly rootfs: Rootfs; readonly looks: () => number } {
  let count = 0
  const look = () => {
    count++
    return tree()
  }
  return { rootfs: { layers, tree: look }, looks: () => count }
}

function requestFor({ folder }: WasmWall, rootfs: Rootfs): CreateRequest {
  const spec = containerSpec({ process: { args: ['/probe.wasm', 'exit', '7'] } })
  return { id: randomBytes(32).toString('hex'), directory: mkdtempSync(join(folder, 'container-')), spec, rootfs, openStdin: true }
}

/** Makes a container of something that was prewarmed for it. */
async function withPrewarmed(
  { runtime }: WasmWall,
  request: CreateRequest,
  { fitted = () => {}, ...given }: Partial<CreateRequest> & { readonly fitted?: () => void },
  body: (task: Task) => Promise<void>,
): Promise<void> {
  const prewarmed = await runtime.prewarm(request)
  let task: Task | undefined
  try {
    assert.ok(prewarmed.fits(request))
    fitted()
    task = await runtime.create({ ...request, ...given, prewarmed })
    await body(task)
  } finally {
    await task?.delete()
    await prewarmed.close()
  }
}

walled('what was settled of a container when something was found to fit is not settled again, once', () =>
  withWasmWall({}, async (wall) => {
    const { rootfs, looks } = counted(wall.rootfs)
    const request = requestFor(wall, rootfs)
    let before = 0
    const fitted = () => {
      before = looks()
    }
    await withPrewarmed(wall, request, { fitted }, async (task) => {
      assert.is(looks(), before)
      await task.start()
      assert.is((await task.wait()).exitCode, 7)
    })
    const again = await wall.runtime.create(request)
    await again.delete()
    assert.ok(looks() > before)
  }),
)

walled('another root than the one that was asked for is looked at, though the spec is the same', () =>
  withWasmWall({}, async (wall) => {
    const { rootfs, looks } = counted(wall.rootfs)
    await withPrewarmed(wall, requestFor(wall, wall.rootfs), { rootfs }, async () => assert.ok(looks() > 0))
  }),
)

test.run()
