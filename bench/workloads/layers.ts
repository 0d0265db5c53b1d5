import { layerImage } from '../layer-image.js'
import { startImage } from '../modes/library.js'
import { orMissing, type Workload } from '../workload.js'

/** No more than docker's overlay driver takes, which is 128. */
const LAYERS = [1, 10, 50, 120]

/** How a start grows with the layers of its image, trees unpacked before. */
export const layers: Workload = {
  name: 'layers',
  summary: `busybox true from images of ${LAYERS.join(', ')} layers, through the library`,
  unit: 'ms',
  axis: 'layers',
  rounds: 20,
  quickRounds: 4,
  open: (workbench) =>
    Promise.all(
      LAYERS.map((count) => {
        const name = `native@${count}`
        return orMissing(name, async () => startImage(workbench, name, await layerImage(workbench, count)))
      }),
    ),
}
