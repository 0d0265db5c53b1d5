/** Where the names of points stand in a plot, so that none covers another. */

/** A point and its name, in pixels. */
export interface Labelled {
  readonly name: string
  readonly x: number
  readonly y: number
}

/** A name's place: its left end, the middle of its height, and the end of it that is nearer to the point. */
export interface PlacedLabel extends Labelled {
  readonly labelX: number
  readonly labelY: number
  readonly nearX: number
}

/** What a character of 12 pixels takes at most. */
const CHARACTER_WIDTH = 7.4
const LINE_HEIGHT = 14
const GAP = 8
const DOT = 6
const MAX_LINES = 12

interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** A place for each, as near to its point as those before it leave; `width` is where the plot ends. */
export function placeLabels(points: readonly Labelled[], width: number): readonly PlacedLabel[] {
  const taken: Box[] = points.map(({ x, y }) => ({ left: x - DOT, right: x + DOT, top: y - DOT, bottom: y + DOT }))
  return points.map((point) => {
    const length = point.name.length * CHARACTER_WIDTH
    const places = candidates(point, length).filter(({ left, right }) => left >= 0 && right <= width)
    const box = places.find((place) => !taken.some((other) => overlap(place, other))) ?? boxAt(point.x + GAP, point.y, length)
    taken.push(box)
    return { ...point, labelX: box.left, labelY: (box.top + box.bottom) / 2, nearX: box.left > point.x ? box.left : box.right }
  })
}

/** Beside the point first, then line by line away from it. */
function candidates({ x, y }: Labelled, length: number): readonly Box[] {
  const lines = Array.from({ length: MAX_LINES }, (_, line) => (line + 1) * LINE_HEIGHT).flatMap((away) => [away, -away])
  return [0, ...lines].flatMap((away) => [boxAt(x + GAP, y + away, length), boxAt(x - GAP - length, y + away, length)])
}

function boxAt(left: number, y: number, length: number): Box {
  return { left, right: left + length, top: y - LINE_HEIGHT / 2, bottom: y + LINE_HEIGHT / 2 }
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}
