"""Check of the files of one view of a ShapeNet model, or of one photograph of Pix3D."""

from __future__ import annotations

from functools import partial

from .check_report import Report, look_at_ends
from .mask_files import read_mask
from .object_images import read_object_image
from .shape_files import read_rendering, read_shape_points, read_shape_viewpoints, read_shape_voxels


def check_shape(decode: bool, entry: dict) -> Report:
    """Check the picture, mask, viewpoints, cloud and voxels.

    Args:
        decode: Decode renderings; otherwise only their start and end markers are looked at. Photographs are decoded in
            any case.
        entry: Of ``ShapeNetR2N2Dataset`` or ``Pix3DDataset``; files that were looked at before are no longer named.
    """
    report, image = Report(samples=1), entry.get('img_path')
    if 'mask_path' in entry:
        mask = entry['mask_path']
        report.check('masks', mask, partial(read_mask, mask))
        # Photographs from the web end as they like: only decoding tells whether they are whole.
        report.check('images', image, partial(read_object_image, image, mask))
    elif image:
        report.check('images', image, partial(read_rendering if decode else look_at_ends, image))
    if 'viewpoints_path' in entry:
        path = entry['viewpoints_path']
        report.check('viewpoints', path, partial(read_shape_viewpoints, path))
    if 'cloud_path' in entry:
        path = entry['cloud_path']
        if report.check('clouds', path, partial(read_shape_points, path, entry['num_points'])):
            report.points = entry['num_points']
    if 'voxel_path' in entry:
        path = entry['voxel_path']
        report.check('voxels', path, partial(read_shape_voxels, path))
    return report
