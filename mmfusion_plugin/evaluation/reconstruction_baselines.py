"""What a network that sees an image has to beat: one shape for all, and the shape of the most similar training image.

Both are fitted and applied to samples as the datasets pack them, ``dict(inputs=dict(img=...), data_samples=...)``, and
scored by the metric that scores the network: :func:`score_baseline`.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Union

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d
from tqdm import tqdm

from mmfusion_plugin.ops.chamfer import chamfer_distance
from mmfusion_plugin.ops.emd import sinkhorn_divergence

Packed = Dict[str, Any]
Embed = Callable[[Tensor], Tensor]


class MeanShapeBaseline:
    """The cloud that is nearest to all training shapes at once, by the distances that 3D-ReConstNet is trained on.

    Adam moves it, from random points of all shapes, down the Chamfer distance (squared) plus the Sinkhorn divergence.

    Args:
        num_points: Of the cloud.
        per_category: One cloud per category; a test sample's own category is then taken as known.
        steps: Of Adam.
        batch_size: Shapes per step.
        learning_rate: At the first step, in the unit of the points; it falls linearly to 0.
        emd_weight: Factor of the Sinkhorn divergence; 0 leaves it out, which is much faster.
        seed: Of what is random.
        device: Where it is fitted.
    """

    def __init__(
        self,
        num_points: int = 1024,
        per_category: bool = False,
        steps: int = 200,
        batch_size: int = 8,
        learning_rate: float = 0.02,
        emd_weight: float = 1.0,
        seed: int = 0,
        device: str = 'cpu',
    ) -> None:
        self.num_points, self.per_category, self.steps, self.batch_size = num_points, per_category, steps, batch_size
        self.learning_rate, self.emd_weight, self.seed, self.device = learning_rate, emd_weight, seed, device
        self.templates: Dict[str, Tensor] = {}

    def fit(self, samples: Iterable[Packed]) -> MeanShapeBaseline:
        """Find the clouds; several views of a model count once. Returns itself.

        Raises:
            ValueError: There is no sample, or one has no true cloud.
        """
        shapes: Dict[str, Dict[Any, Tensor]] = {}
        for sample in samples:
            shape = sample['data_samples']
            shapes.setdefault(self._group(shape), {}).setdefault(_model(shape), _points(shape))
        if not shapes:
            raise ValueError('a mean shape needs at least one training sample')
        self.templates = {group: self._template(list(clouds.values()), group) for group, clouds in shapes.items()}
        return self

    def predict(self, sample: Packed) -> Tensor:
        """The cloud (N, 3), of the sample's category where there are several.

        Raises:
            ValueError: Nothing was fitted for the sample.
        """
        group = self._group(sample['data_samples'])
        if group not in self.templates:
            raise ValueError(f'no mean shape of {group or "anything"}, only of {sorted(self.templates)}: fit it on '
                             'training samples of all categories first')
        return self.templates[group]

    def _group(self, shape: Any) -> str:
        return str(shape.get('synset') or shape.get('category')) if self.per_category else ''

    def _template(self, clouds: Sequence[Tensor], group: str) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        pool = torch.cat(list(clouds))
        start = pool[torch.randint(len(pool), (self.num_points,), generator=generator)]
        template = start.to(self.device).requires_grad_()
        optimizer = torch.optim.Adam([template], self.learning_rate)
        for step in tqdm(range(self.steps), desc=f'mean shape {group}'.strip()):
            optimizer.param_groups[0]['lr'] = self.learning_rate * (1 - step / self.steps)
            chosen = torch.randint(len(clouds), (self.batch_size,), generator=generator).tolist()
            pair = (template.expand(self.batch_size, -1, -1), [clouds[number].to(self.device) for number in chosen])
            distance = sum(chamfer_distance(*pair))
            if self.emd_weight:
                distance = distance + self.emd_weight * sinkhorn_divergence(*pair)
            optimizer.zero_grad()
            distance.mean().backward()
            optimizer.step()
        return template.detach().cpu()


class NearestImageBaseline:
    """The true cloud of the training image that looks most alike.

    Args:
        embed: From one image (1, 3, H, W), float32 as packed, to its features (1, C), for example a trained backbone's;
            compared by their Euclidean distance. None compares thumbnails.
        thumbnail: Side of the thumbnails in pixels; 16 take 3 kB per training image.
    """

    def __init__(self, embed: Optional[Embed] = None, thumbnail: int = 16) -> None:
        self.embed = embed or (lambda image: adaptive_avg_pool2d(image, thumbnail).flatten(1))
        self.clouds: List[Tensor] = []
        self.features, self.rows = torch.empty(0, 0), torch.empty(0, dtype=torch.long)

    def fit(self, samples: Iterable[Packed]) -> NearestImageBaseline:
        """Remember all images, and each model's cloud once. Returns itself.

        Raises:
            ValueError: There is no sample, or one has no true cloud.
        """
        features, rows, models = [], [], {}
        self.clouds = []
        for sample in samples:
            shape = sample['data_samples']
            key = _model(shape)
            if key not in models:
                models[key] = len(self.clouds)
                self.clouds.append(_points(shape))
            features.append(self._features(sample))
            rows.append(models[key])
        if not rows:
            raise ValueError('the nearest image needs at least one training sample')
        self.features, self.rows = torch.cat(features), torch.tensor(rows)
        return self

    def predict(self, sample: Packed) -> Tensor:
        """The cloud (N, 3) of the nearest training image; of equally near ones, of the first.

        Raises:
            ValueError: Nothing was fitted.
        """
        if not self.clouds:
            raise ValueError('no training image is known yet: call fit() with training samples first')
        distance = (self.features - self._features(sample)).square().sum(dim=1)
        return self.clouds[int(self.rows[distance.argmin()])]

    @torch.no_grad()
    def _features(self, sample: Packed) -> Tensor:
        return self.embed(torch.as_tensor(sample['inputs']['img'])[None].float()).float().cpu()


def score_baseline(
    baseline: Union[MeanShapeBaseline, NearestImageBaseline],
    train: Sequence[Packed],
    test: Sequence[Packed],
    metric: BaseMetric,
) -> Dict[str, float]:
    """Fit on one dataset, predict another, and score.

    Args:
        baseline: What predicts.
        train: Dataset, or list of packed samples, to fit on.
        test: The same to predict.
        metric: ``ReconstructionMetric``, with the protocol of the network beside which the baseline stands.

    Returns:
        What the metric returns.
    """
    baseline.fit(train[row] for row in tqdm(range(len(train)), desc='training samples'))
    for row in tqdm(range(len(test)), desc='test samples'):
        sample = test[row]
        answer = sample['data_samples'].clone()
        answer.pred_points = baseline.predict(sample)
        metric.process(None, [answer.to_dict()])
    return metric.evaluate(len(test))


def _model(shape: Any) -> Any:
    """What views of one model share; a sample that names no model is one of its own."""
    model = shape.get('model_id')
    return object() if model is None else (shape.get('synset') or shape.get('category'), model)


def _points(shape: Any) -> Tensor:
    points = shape.get('gt_points')
    if points is None or not len(points):
        name = shape.get('img_path') or shape.get('model_id') or 'a training sample'
        raise ValueError(f'{name} has no gt_points: load the clouds in the training pipeline')
    return torch.as_tensor(points)
