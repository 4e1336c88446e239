"""2D boxes of info files from a COCO-style JSON: detections of any MMDetection model, or annotated masks."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Mapping, Optional

from .boxes_2d_coco_files import CocoFile, CocoImage, read_coco
from .boxes_2d_files import rewrite_infos


@dataclass
class CocoSummary:
    """What became of a COCO file's boxes.

    Attributes:
        samples: Samples written.
        images: Their images.
        without_entry: Images of which the COCO file knows nothing; they are left without boxes.
        kept: Boxes written.
        tracked: Boxes among them that took depth, visibility and truncation from the annotated box of their instance.
        left_out: Boxes of the COCO file by the reason for which they were left out.
        unknown: Boxes of each category without a counterpart in nuScenes.
    """

    samples: int
    images: int
    without_entry: int
    kept: int
    tracked: int
    left_out: Counter
    unknown: Counter

    def __str__(self) -> str:
        unknown = [f'{count} of unknown category {name!r}' for name, count in self.unknown.most_common()]
        left_out = [f'{count} {reason}' for reason, count in sorted(self.left_out.items())] + unknown
        return (
            f'{self.samples} samples, {self.images} images, {self.without_entry} of them not in the COCO file\n'
            f'{self.kept} boxes kept, {self.tracked} of them with the depth of an annotated instance\n'
            f'left out: {", ".join(left_out) or "none"}'
        )


def boxes_from_coco(
    infos: Path,
    coco: Path,
    out: Path,
    images: Optional[Path] = None,
    score_thr: float = 0.3,
    categories: Optional[Mapping[str, str]] = None,
) -> CocoSummary:
    """Write a copy of an info file whose 2D boxes come from a COCO-style JSON.

    COCO counts from pixel corners; info files from pixel centres, half a pixel less, and end at the image's border.
    Segmentations are copied as they are (``boxes_2d_masks`` reads them). What a detector does not know stands as
    unknown: visibility 0, truncation 0, depth 0, which ``LocalObjectBranch(overlap='nearest')`` ranks last. A box with
    the ``instance_token`` of an annotated box in the same image takes these three from it.

    Args:
        infos: Info file in JSON.
        coco: COCO dataset (``images``, ``categories``, ``annotations``), or the list of results that ``CocoMetric``
            writes with ``outfile_prefix``.
        out: Info file to write.
        images: COCO dataset with ``images`` and ``categories``; needed when ``coco`` is a list of results.
        score_thr: Least score; annotations without a score stay.
        categories: Further category names with nuScenes' fine name of each, see ``boxes_2d_categories``.

    Returns:
        Counts.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file is damaged, an image has another size than that of the sample, no image or no category of
            the COCO file is one of the samples', or a file name fits several images.
    """
    content = read_coco(coco, images, score_thr, categories)
    filler = _Filler(content, images or coco)
    samples = rewrite_infos(infos, out, filler.fill, filler.check)
    return CocoSummary(
        samples, filler.images, filler.without_entry, filler.kept, filler.tracked, content.left_out, content.unknown
    )


class _Filler:
    """Puts the boxes of a COCO file into one sample after another, and counts."""

    def __init__(self, content: CocoFile, path: Path) -> None:
        self.path = path
        self.by_name: dict[str, list[CocoImage]] = defaultdict(list)
        for image in content.images.values():
            self.by_name[PurePosixPath(image.file_name).name].append(image)
        self.images = self.without_entry = self.kept = self.tracked = 0

    def fill(self, entry: dict) -> None:
        """Replace the 2D boxes of a sample."""
        for camera, image in entry['images'].items():
            found = self._find(camera, image)
            image['boxes_2d'] = self._boxes(found, image.get('boxes_2d', [])) if found else []
            self.images += 1
            self.without_entry += found is None
            self.kept += len(image['boxes_2d'])

    def check(self) -> None:
        """Refuse a COCO file of other images."""
        if self.without_entry == self.images:
            ours = f'{self.images} images of the samples'
            raise ValueError(
                f'none of the {ours} is in {self.path}, which holds {sum(map(len, self.by_name.values()))} images such '
                f'as {next(iter(self.by_name), None)!r}: file names must be the same but for the folder'
            )

    def _find(self, camera: str, image: dict) -> Optional[CocoImage]:
        name = PurePosixPath(image['img_path']).name
        found = self.by_name.get(name, [])
        if len(found) > 1:
            found = [one for one in found if PurePosixPath(one.file_name).parent.name == camera]
            if len(found) != 1:
                raise ValueError(f'{self.path}: {name} is the name of several images, and {len(found)} in {camera}/')
        if not found:
            return None
        size, ours = (found[0].width, found[0].height), (image.get('width'), image.get('height'))
        if size != ours:
            raise ValueError(
                f'{self.path}: {found[0].file_name} is {size[0]} x {size[1]} pixels, in the info file {ours[0]} x '
                f'{ours[1]}: boxes must be in pixels of the original images'
            )
        return found[0]

    def _boxes(self, found: CocoImage, annotated: list[dict]) -> list[dict]:
        by_instance = {box['instance_token']: box for box in annotated if 'instance_token' in box}
        boxes = []
        for box in found.boxes:
            twin = by_instance.get(box.get('instance_token'), {})
            self.tracked += bool(twin)
            known = {key: twin.get(key, unknown) for key, unknown in _UNKNOWN.items()}
            boxes.append({**box, **known})
        return boxes


_UNKNOWN = {'visibility': 0, 'truncation': 0.0, 'depth': 0.0}
