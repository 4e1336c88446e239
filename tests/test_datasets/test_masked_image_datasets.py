"""Datasets of masked images on tiny trees in the layout of each; masks read back through the pipeline's loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mmfusion_plugin.datasets import MaskedCUB, MaskedFlowers102, MaskedImageDataset, MaskedOxfordPets, MaskedVOC
from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.transforms import CropToMask, LoadImageAndMask
from mmfusion_plugin.synthetic.herbarium import make_herbarium

HEIGHT, WIDTH = 6, 8


def picture(path: Path, array: Any = None, mode: str = 'RGB') -> Path:
    """Write an image; grey of the usual size where no array is given. ``'P'`` gets a palette as VOC's files have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full((HEIGHT, WIDTH, 3), 90, np.uint8) if array is None else np.asarray(array, np.uint8)
    image = Image.fromarray(array)
    if mode == 'P':
        image = image.copy()
        image.putpalette(list(range(256)) * 3)
    image.save(path, **({'quality': 100, 'subsampling': 0} if path.suffix == '.jpg' else {}))
    return path


def half(value: int = 255) -> np.ndarray:
    """A mask of the left half."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, : WIDTH // 2] = value
    return mask


def loaded(dataset: Any, index: int = 0, **kwargs: Any) -> np.ndarray:
    return LoadImageAndMask(**kwargs).transform(dataset.get_data_info(index))['mask']


def names(dataset: Any) -> list[str]:
    return [Path(dataset.get_data_info(k)['img_path']).stem for k in range(len(dataset))]


# --- folders and tables ----------------------------------------------------------------------------------------------


@pytest.fixture()
def folders(tmp_path: Path) -> Path:
    """Three oaks, one of them in a folder of its own, two elms; masks of all."""
    for name in ('oak/b', 'oak/a', 'oak/deep/c', 'elm/d', 'elm/e'):
        picture(tmp_path / 'images' / f'{name}.jpg')
        picture(tmp_path / 'masks' / f'{name}.png', half())
    (tmp_path / 'images' / 'oak' / 'notes.txt').write_text('no image')
    return tmp_path


def test_folders_are_classes(folders: Path) -> None:
    dataset = MaskedImageDataset(str(folders))
    assert dataset.metainfo['classes'] == ('elm', 'oak') and names(dataset) == ['d', 'e', 'a', 'b', 'c']
    entry = dataset.get_data_info(4)
    assert entry == {'img_path': str(folders / 'images/oak/deep/c.jpg'), 'gt_label': 1, 'sample_idx': 4,
                     'mask_path': str(folders / 'masks/oak/deep/c.png')}  # fmt: skip
    assert (loaded(dataset) == half(1)).all() and dataset.get_cat_ids(0) == [0] and not dataset.left_out
    swapped = MaskedImageDataset(str(folders), metainfo=dict(classes=['oak']))
    assert names(swapped) == ['a', 'b', 'c'] and swapped.get_cat_ids(0) == [0]
    assert dict(swapped.left_out) == {'folders of no class: elm': 2}


def test_masks_beside_images_are_no_images(tmp_path: Path) -> None:
    picture(tmp_path / 'images/setaria/setaria_1.png')
    picture(tmp_path / 'images/setaria/setaria_1_mask.png', half())
    dataset = MaskedImageDataset(str(tmp_path), mask_root='images', mask_suffix='_mask.png')
    assert names(dataset) == ['setaria_1'] and (loaded(dataset) == half(1)).all()


def test_missing_masks(folders: Path) -> None:
    (folders / 'masks/oak/a.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 5 masks .*masks/oak/a\.png.*make_masks.*missing_mask=') as error:
        MaskedImageDataset(str(folders))
    assert str(folders / 'images/oak/a.jpg') in str(error.value)
    skipping = MaskedImageDataset(str(folders), missing_mask='skip')
    assert names(skipping) == ['d', 'e', 'b', 'c'] and dict(skipping.left_out) == {'the mask is missing': 1}
    whole = MaskedImageDataset(str(folders), missing_mask='whole')
    assert len(whole) == 5 and 'mask_path' not in whole.get_data_info(2) and not whole.left_out
    assert loaded(whole, 2, missing='whole').all() and not loaded(whole, 3, missing='whole').all()
    assert len(MaskedImageDataset(str(folders), mask_root=None)) == 5
    with pytest.raises(ValueError, match="missing_mask must be one of error, skip, whole, keep, got 'ignore'"):
        MaskedImageDataset(str(folders), missing_mask='ignore')


def test_missing_images(table: Path) -> None:
    (table / 'images/b.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 4 images .*sheets.csv.*images/b\.jpg.*missing_image='):
        MaskedImageDataset(str(table), 'sheets.csv')
    skipping = MaskedImageDataset(str(table), 'sheets.csv', missing_image='skip')
    assert names(skipping) == ['a', 'c', 'd'] and dict(skipping.left_out) == {'the image is missing': 1}
    assert names(MaskedImageDataset(str(table), 'sheets.csv', missing_image='keep')) == list('abcd')
    with pytest.raises(ValueError, match="missing_image must be one of error, skip, keep, got 'whole'"):
        MaskedImageDataset(str(table), missing_image='whole')


def test_depth_maps_are_found_and_become_z(folders: Path) -> None:
    """Of two formats and in folders below, from the dataset to z, which spans 0..1 over the foreground's depths."""
    depth = np.arange(HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH) + 900
    for name in ('oak/b', 'oak/a', 'oak/deep/c', 'elm/d'):
        (folders / 'depths' / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folders / 'depths' / f'{name}.npy', depth)
    with pytest.raises(FileNotFoundError, match=r'1 of 5 depth maps .*depths/elm/e \(\.npy .*elm/e\.jpg.*depth_root'):
        MaskedImageDataset(str(folders), depth_root='depths')
    cv2.imwrite(str(folders / 'depths/elm/e.png'), depth.astype(np.uint16))
    steps = [dict(type='LoadImageAndMask'), dict(type='LoadDepthMap', resize=False),
             dict(type='PixelToPoint', z_mode='depth', num_points=None)]  # fmt: skip
    dataset = MaskedImageDataset(str(folders), depth_root='depths', pipeline=steps, test_mode=True)
    found = [Path(dataset.get_data_info(k)['depth_path']).relative_to(folders / 'depths') for k in range(5)]
    assert list(map(str, found)) == ['elm/d.npy', 'elm/e.png', 'oak/a.npy', 'oak/b.npy', 'oak/deep/c.npy']
    inside = depth[:, : WIDTH // 2].ravel()
    for sample in (dataset[1], dataset[4]):
        expected = (inside - inside.min()) / (inside.max() - inside.min())
        np.testing.assert_allclose(sample['points'][:, 2], expected, atol=1e-6)
    np.save(folders / 'depths/elm/d.npy', depth[1:])
    with pytest.raises(CorruptDataError, match=r'd\.npy is \(5, 8\), not \(6, 8\) as its image'):
        dataset[0]
    np.save(folders / 'depths/elm/e.npy', depth)
    with pytest.raises(ValueError, match=r'e\.npy and .*e\.png are depth maps of one image: remove one'):
        MaskedImageDataset(str(folders), depth_root='depths')


def test_few_shot(tmp_path: Path) -> None:
    for number in range(24):
        picture(tmp_path / 'images' / 'ab'[number % 2] / f'{number:02d}.png')

    def few(count: int, seed: int = 0) -> set[str]:
        dataset = MaskedImageDataset(str(tmp_path), mask_root=None, few_shot=count, few_shot_seed=seed)
        labels = [dataset.get_cat_ids(k)[0] for k in range(len(dataset))]
        assert labels == [0] * count + [1] * count
        assert names(dataset) == sorted(names(dataset), key=lambda name: (int(name) % 2, name))
        assert dataset.left_out['few_shot keeps others'] == 24 - 2 * count
        return set(names(dataset))

    assert few(2) < few(5) < few(9) and few(5) == few(5)
    assert few(5) != few(5, seed=1)
    with pytest.raises(ValueError, match="12 samples of class 'a', fewer than few_shot=13"):
        MaskedImageDataset(str(tmp_path), mask_root=None, few_shot=13)


@pytest.fixture()
def table(tmp_path: Path) -> Path:
    lines = ['file,split,mask,thorns,genus,parts', 'a.jpg,train,,1,Rosa,5', 'b.jpg,train,other/b.png,0,Acer,3',
             'c.jpg,test,, ,Rubus,4', 'd.jpg,test,,1,,3']  # fmt: skip
    (tmp_path / 'sheets.csv').write_text('\n'.join(lines) + '\n')
    for name in 'abcd':
        picture(tmp_path / 'images' / f'{name}.jpg')
        picture(tmp_path / 'masks' / ('other/b.png' if name == 'b' else f'{name}.png'), half())
    return tmp_path


def test_table(table: Path) -> None:
    def read(**kwargs: Any) -> MaskedImageDataset:
        return MaskedImageDataset(str(table), 'sheets.csv', **kwargs)

    thorns = read(trait='thorns', split='train')
    assert thorns.metainfo['classes'] == ('no thorns', 'thorns') and names(thorns) == ['a', 'b']
    assert [thorns.get_data_info(k)['gt_label'] for k in range(2)] == [1, 0]
    assert thorns.get_data_info(1)['mask_path'] == str(table / 'masks/other/b.png')
    tested = read(trait='thorns', split='test')
    assert names(tested) == ['d'] and dict(tested.left_out) == {'nothing in column thorns': 1}
    genus = read(trait='genus', split='train')  # classes of the whole table, so that splits agree
    assert genus.metainfo['classes'] == ('Acer', 'Rosa', 'Rubus')
    assert [genus.get_cat_ids(k)[0] for k in range(2)] == [1, 0]
    assert read(trait='parts').metainfo['classes'] == ('3', '4', '5')
    named = read(trait='thorns', split='train', metainfo=dict(classes=['smooth', 'thorny']))
    assert named.metainfo['classes'] == ('smooth', 'thorny') and named.get_cat_ids(0) == [1]
    unlabelled = read()
    assert names(unlabelled) == list('abcd') and 'gt_label' not in unlabelled.get_data_info(0)


@pytest.mark.parametrize(('kwargs', 'error', 'message'), [
    (dict(trait='spines'), ValueError, "no column 'spines', but file, split, mask, thorns"),
    (dict(trait='thorns', split='val'), ValueError, r"no row with split='val', but \['test', 'train'\]"),
    (dict(trait='genus', metainfo=dict(classes=['Rosa'])), ValueError, "'Acer' in column 'genus' of b.jpg is none"),
    (dict(few_shot=1), ValueError, 'few_shot=1 needs labels'),
    (dict(ann_file='none.csv'), FileNotFoundError, 'there is no table .*none.csv'),
    (dict(ann_file='', trait='thorns'), ValueError, 'are columns of a table'),
    (dict(data_prefix=dict(img_path='pictures')), FileNotFoundError, 'no folder .*pictures of images'),
    (dict(ann_file='', data_prefix=dict(img_path='masks')), ValueError, 'has no folders with images')])  # fmt: skip
def test_faults_are_named(table: Path, kwargs: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        MaskedImageDataset(str(table), **{'ann_file': 'sheets.csv', **kwargs})


def test_generated_herbarium(tmp_path: Path) -> None:
    root = make_herbarium(tmp_path / 'herbarium', 5, (64, 96), progress=False)
    for folder in ('masks_selected', 'masks_complete'):
        dataset = MaskedImageDataset(str(root), 'herbarium.csv', mask_root=folder, trait='lobed', split='train')
        assert len(dataset) == 3 and dataset.metainfo['classes'] == ('no lobed', 'lobed')
        written = cv2.imread(str(root / folder / 'train_00002.png'), cv2.IMREAD_UNCHANGED)
        assert (loaded(dataset, 2) == written // 255).all()


# --- public datasets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(('border', 'columns'), [('foreground', 5), ('background', 4)])
def test_pets(tmp_path: Path, border: str, columns: int) -> None:
    trimap = np.full((HEIGHT, WIDTH), 2)
    trimap[:, :4], trimap[:, 4] = 1, 3
    picture(tmp_path / 'images/Abyssinian_100.jpg')
    picture(tmp_path / 'annotations/trimaps/Abyssinian_100.png', trimap)
    (tmp_path / 'annotations/trainval.txt').write_text('Abyssinian_100 1 1 1\n')
    (tmp_path / 'annotations/test.txt').write_text('yorkshire_terrier_9 37 2 25\n')
    dataset = MaskedOxfordPets(str(tmp_path), border=border)
    assert len(dataset.metainfo['classes']) == 37 and dataset.get_cat_ids(0) == [0]
    assert (loaded(dataset) == (np.arange(WIDTH) < columns)).all()
    picture(tmp_path / 'images/yorkshire_terrier_9.jpg')
    with pytest.raises(FileNotFoundError, match='trimaps/yorkshire_terrier_9.png .*unpack annotations.tar.gz'):
        MaskedOxfordPets(str(tmp_path), split='test')
    with pytest.raises(ValueError, match='split must be one of'):
        MaskedOxfordPets(str(tmp_path), split='val')
    with pytest.raises(FileNotFoundError, match='trainval.txt.*unpack OxfordIIITPet'):
        MaskedOxfordPets(str(tmp_path / 'elsewhere'))


def test_cub(tmp_path: Path) -> None:
    birds = ['001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.jpg', '200.Common_Yellowthroat/X_1.jpg']
    drawn = np.zeros((HEIGHT, WIDTH))
    drawn[:, 2:6], drawn[:, 3:5] = 102, 204  # two, and four of five annotators
    for bird in birds:
        picture(tmp_path / 'images' / bird)
        picture(tmp_path / 'segmentations' / bird.replace('.jpg', '.png'), drawn)
    (tmp_path / 'images.txt').write_text(''.join(f'{k + 1} {bird}\n' for k, bird in enumerate(birds)))
    (tmp_path / 'image_class_labels.txt').write_text('1 1\n2 200\n')
    (tmp_path / 'train_test_split.txt').write_text('1 1\n2 0\n')
    train, test = MaskedCUB(str(tmp_path)), MaskedCUB(str(tmp_path), split='test', threshold=50)
    assert (train.get_cat_ids(0), test.get_cat_ids(0)) == ([0], [199]) and len(train.metainfo['classes']) == 200
    assert (loaded(train) == (drawn > 127)).all() and (loaded(test) == (drawn > 50)).all()


def test_flowers(tmp_path: Path) -> None:
    flower = np.full((48, 64, 3), (200, 60, 90), np.uint8)
    flower[:, 32:] = 0, 0, 254
    for number in (1, 2, 3):
        picture(tmp_path / f'jpg/image_{number:05d}.jpg', np.full((48, 64, 3), 120))
        picture(tmp_path / f'segmim/segmim_{number:05d}.jpg', flower)
    savemat(tmp_path / 'imagelabels.mat', {'labels': np.array([[77, 1, 102]], np.uint8)})
    numbers = {'trnid': [[3, 1]], 'valid': [[2, 2]], 'tstid': [[2, 3]]}
    savemat(tmp_path / 'setid.mat', {key: np.array(value) for key, value in numbers.items()})
    dataset = MaskedFlowers102(str(tmp_path), split='train')
    assert [dataset.get_cat_ids(k)[0] for k in range(2)] == [101, 76] and len(dataset.metainfo['classes']) == 102
    mask = loaded(dataset)
    assert mask[:, :30].all() and not mask[:, 34:].any()


@pytest.fixture()
def voc(tmp_path: Path) -> Path:
    """A cat and its kitten; a dog with a person; a seam alone; two pixels of a boat."""
    classes, objects = np.zeros((4, HEIGHT, WIDTH)), np.zeros((4, HEIGHT, WIDTH))
    classes[0, :, :3], objects[0, :, :3] = 8, 1
    classes[0, 1:3, 5:], objects[0, 1:3, 5:] = 8, 2
    classes[0, :, 3], objects[0, :, 3] = 255, 255
    classes[1, :2], objects[1, :2] = 12, 1
    classes[1, 4:], objects[1, 4:] = 15, 2
    classes[2, 0] = objects[2, 0] = 255
    classes[3, 0, :2], objects[3, 0, :2] = 4, 1
    for k, name in enumerate(('2007_000032', '2007_000033', '2007_000039', '2007_000042')):
        picture(tmp_path / f'JPEGImages/{name}.jpg')
        picture(tmp_path / f'SegmentationClass/{name}.png', classes[k], 'P')
        picture(tmp_path / f'SegmentationObject/{name}.png', objects[k], 'P')
    lists = tmp_path / 'ImageSets/Segmentation'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text('2007_000032\n2007_000033\n2007_000039\n2007_000042\n')
    return tmp_path


def test_voc_images_of_one_class(voc: Path) -> None:
    dataset = MaskedVOC(str(voc), min_pixels=3)
    assert names(dataset) == ['2007_000032'] and dataset.metainfo['classes'][dataset.get_cat_ids(0)[0]] == 'cat'
    assert dict(dataset.left_out) == {'several classes in the image': 1, 'no class in the image': 1,
                                      'fewer than 3 pixels': 1}  # fmt: skip
    assert loaded(dataset).sum() == 3 * HEIGHT + 6  # the seam is no cat
    small = MaskedVOC(str(voc))
    assert names(small) == ['2007_000032', '2007_000042'] and small.get_cat_ids(1) == [3]


def test_voc_objects(voc: Path) -> None:
    dataset = MaskedVOC(str(voc), per='object', min_pixels=3)
    classes = [dataset.metainfo['classes'][dataset.get_cat_ids(k)[0]] for k in range(len(dataset))]
    assert classes == ['cat', 'cat', 'dog', 'person'] and dict(dataset.left_out) == {'fewer than 3 pixels': 1}
    kitten = LoadImageAndMask().transform(dataset.get_data_info(1))
    assert kitten['mask'].sum() == 6 and kitten['mask'][1:3, 5:].all()
    cut = CropToMask(margin=0).transform(kitten)
    assert cut['mask'].shape == cut['img'].shape[:2] == cut['img_shape'] == (2, 3) and cut['mask'].all()


def test_voc_faults(voc: Path) -> None:
    path = voc / 'SegmentationClass/2007_000033.png'
    picture(path, np.zeros((HEIGHT, WIDTH, 3)))
    with pytest.raises(ValueError, match='2007_000033.png has colours'):
        MaskedVOC(str(voc))
    path.unlink()
    with pytest.raises(FileNotFoundError, match='2007_000033.png .*unpack VOCtrainval'):
        MaskedVOC(str(voc))
    skipping = MaskedVOC(str(voc), per='object', missing_mask='skip')
    assert names(skipping) == ['2007_000032', '2007_000032', '2007_000042']
    assert skipping.left_out['no SegmentationClass, so no label'] == 1
    with pytest.raises(FileNotFoundError, match='test.txt is missing'):
        MaskedVOC(str(voc), split='test')


# --- cutting out -----------------------------------------------------------------------------------------------------


def test_crop_to_mask_keeps_a_margin_inside_the_image() -> None:
    image = np.arange(20 * 30 * 3).reshape(20, 30, 3).astype(np.uint8)
    mask = np.zeros((20, 30), np.uint8)
    mask[1:6, 12:22] = 1
    out = CropToMask(margin=0.2).transform(dict(img=image, mask=mask, depth_map=mask * 2.0))
    assert out['mask_crop'] == (10, 0, 24, 8)  # two pixels on each side, one above
    assert (out['img'] == image[0:8, 10:24]).all() and (out['depth_map'] == 2.0 * mask[0:8, 10:24]).all()
    empty = CropToMask().transform(dict(img=image, mask=np.zeros_like(mask), img_shape=(20, 30)))
    assert empty['img'].shape == image.shape and 'mask_crop' not in empty
    with pytest.raises(ValueError, match='margin must not be negative'):
        CropToMask(-0.1)
