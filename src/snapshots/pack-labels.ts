/** Which classes the samples of a list have, as label ids follow the byte order of all labels. */
import { Mx8Error } from '../core/base/errors.ts';
import { compareUtf8 } from '../core/manifest/byte-order.ts';
import { imagefolderHint } from '../core/manifest/decode-hint.ts';
import type { PackItem } from './pack-list.ts';
import { classOf, packedHint } from './pack-names.ts';
import type { LabelMode } from './pack-plan.ts';

export class PackLabels {
  readonly #root: string;
  readonly #mode: LabelMode;
  readonly #classes: Set<string> = new Set();
  #unclassified: PackItem | null = null;
  #ids: ReadonlyMap<string, number> | null = null;

  constructor(root: string, mode: LabelMode) {
    this.#root = root;
    this.#mode = mode;
  }

  add(items: readonly PackItem[]): void {
    for (const item of items) {
      const label = classOf(item.path);
      if (label === null) this.#unclassified ??= item;
      else this.#classes.add(label);
    }
  }

  /** All samples were added: the labels by their ids, null for a data set without. */
  settle(): readonly string[] | null {
    const missing = this.#unclassified;
    if (this.#mode === 'imagefolder' && missing !== null) throw this.#missing(missing);
    const isLabelled =
      this.#mode === 'imagefolder' ||
      (this.#mode === 'auto' && missing === null && this.#classes.size >= 2);
    if (!isLabelled) return null;
    const labels = [...this.#classes].sort(compareUtf8);
    this.#ids = new Map(labels.map((label, id) => [label, id]));
    return labels;
  }

  /** What the manifest says of the sample. */
  hintOf({ path, hint }: PackItem): string {
    if (hint !== '') return packedHint(hint, this.#mode !== 'none');
    const id = this.#ids?.get(classOf(path) ?? '');
    return id === undefined ? '' : imagefolderHint(id);
  }

  #missing({ path, location, hint }: PackItem): Mx8Error {
    if (hint !== '') {
      return new Mx8Error(
        'flag_invalid',
        `Samples in ${location} have the classes that their format says; --labels imagefolder is for folders of files.`,
        { flag: '--labels', location },
      );
    }
    return new Mx8Error(
      'label_missing',
      `The file ${this.#root}/${path} has no class: with --labels imagefolder every file lies in a folder named after its class.`,
      { location: `${this.#root}/${path}` },
    );
  }
}
