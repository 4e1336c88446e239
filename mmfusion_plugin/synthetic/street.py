"""Streets: what stands where. Every scene holds all sixteen lidarseg classes near the ego car's path."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

from mmfusion_plugin.synthetic import furniture, people, vehicles
from mmfusion_plugin.synthetic.materials import CONCRETE, DIRT, FINE, GRASS, KERB, PAVER, ROAD, WATER
from mmfusion_plugin.synthetic.meshes import Mesh, box, merge, rectangle
from mmfusion_plugin.synthetic.paint import paint_road
from mmfusion_plugin.synthetic.world import Actor, Light, World

LANE, PARKING, KERB_HEIGHT, REACH = 3.5, 2.6, 0.16, 110.0
VEHICLE_MOVING, VEHICLE_PARKED, VEHICLE_STOPPED = 'vehicle.moving', 'vehicle.parked', 'vehicle.stopped'
GREEN, PAVING, TAR, EARTH = (0.17, 0.24, 0.06), (0.42, 0.4, 0.38), (0.13, 0.13, 0.135), (0.33, 0.23, 0.14)


class Street:
    """Builds one scene along the x axis. ``side`` is +1 left of the ego car's direction, -1 right of it."""

    def __init__(self, rng: np.random.Generator, seconds: float) -> None:
        self.rng = rng
        self.speed = rng.uniform(3.5, 8.0)
        self.start, self.end = -REACH, self.speed * seconds + REACH
        self.drive = 1.0 if rng.random() < 0.5 else -1.0
        self.lanes = int(rng.integers(1, 3))
        self.median = rng.uniform(0.6, 1.1)
        self.kerb = self.median + self.lanes * LANE + PARKING
        self.walk = {side: rng.uniform(2.6, 4.2) for side in (-1, 1)}
        self.verge = {side: rng.uniform(1.4, 2.6) for side in (-1, 1)}
        self.crossing = rng.uniform(42.0, 60.0)
        self.cross_half = rng.uniform(4.0, 6.5)
        self.parts: List[Mesh] = []
        self.actors: List[Actor] = []
        self.site = rng.uniform(10.0, 14.0)
        self.site_side = int(self.own * (1 if rng.random() < 0.5 else -1))

    @property
    def own(self) -> int:
        """The side on which the ego car drives."""
        return int(-self.drive)

    def add(self, mesh: Mesh, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> None:
        """Puts a static mesh down."""
        self.parts.append(mesh.moved(x, y, z, yaw))

    def actor(
        self,
        mesh: Mesh,
        name: str,
        x: float,
        y: float,
        yaw: float,
        z: float = 0.0,
        speed: float = 0.0,
        attribute: str = '',
    ) -> None:
        """Puts an annotated object down."""
        mesh = mesh.labelled(FINE[name])
        self.actors.append(Actor(mesh, FINE[name], (float(x), float(y), float(z)), float(yaw), float(speed), attribute))

    def stretches(self) -> List[Tuple[float, float]]:
        """The x intervals beside the street, the side street left out."""
        return [(self.start, self.crossing - self.cross_half), (self.crossing + self.cross_half, self.end)]

    def ground(self) -> None:
        """Road, side street, median island, kerbs, verges and pavements."""
        far, side_reach = 320.0, 75.0
        self.add(rectangle(self.start - far, self.end + far, -far, far, -0.06, GRASS, GREEN, FINE['flat.terrain']))
        road = FINE['flat.driveable_surface']
        self.add(rectangle(self.start - 40, self.end + 40, -self.kerb, self.kerb, 0.0, ROAD, TAR, road))
        for side in (-1, 1):
            low, high = sorted((side * self.kerb, side * side_reach))
            x0, x1 = self.crossing - self.cross_half, self.crossing + self.cross_half
            self.add(rectangle(x0, x1, low, high, 0.0, ROAD, TAR, road))
            for x0, x1 in self.stretches():
                self._roadside(side, x0, x1)
        island = FINE['flat.other']
        for x0, x1 in self.stretches():
            x0, x1 = max(x0, self.start), min(x1, self.end)
            gap = 5.0
            x0, x1 = (x0, x1 - gap) if x0 < self.crossing - 1 else (x0 + gap, x1)
            middle, length = (x0 + x1) / 2, x1 - x0
            self.add(box((middle, 0, 0.09), (length, 2 * self.median - 0.5, 0.18), CONCRETE, (0.5, 0.5, 0.48), island))

    def _roadside(self, side: int, x0: float, x1: float) -> None:
        def strip(first: float, last: float, z: float, material: int, colour: tuple, label: str) -> None:
            low, high = sorted((side * first, side * last))
            self.add(rectangle(x0, x1, low, high, z, material, colour, FINE[label]))

        kerb = self.kerb
        self.add(box(((x0 + x1) / 2, side * (kerb + 0.12), KERB_HEIGHT / 2), (x1 - x0, 0.24, KERB_HEIGHT), KERB,
                     (0.5, 0.5, 0.48), FINE['flat.sidewalk']))  # fmt: skip
        near = kerb + 0.24 + self.verge[side]
        far = near + self.walk[side]
        strip(kerb + 0.24, near, KERB_HEIGHT - 0.02, GRASS, GREEN, 'flat.terrain')
        strip(near, far, KERB_HEIGHT, PAVER, PAVING, 'flat.sidewalk')
        strip(far, far + 60, KERB_HEIGHT - 0.03, GRASS, GREEN, 'flat.terrain')

    def plots(self) -> None:
        """Behind the pavement: houses, parks, a plaza with a basin, car parks."""
        rng = self.rng
        for side in (-1, 1):
            front = self.kerb + 0.24 + self.verge[side] + self.walk[side]
            for x0, x1 in self.stretches():
                x, limit = max(x0, self.start), min(x1, self.end)
                kinds = ['park', 'house', 'plaza', 'house'] if side > 0 else ['house', 'park', 'house', 'plaza']
                index = int(rng.integers(4))
                while x < limit - 8:
                    width = min(rng.uniform(14, 30), limit - x)
                    kind = kinds[index % 4] if rng.random() < 0.75 else 'house'
                    index += 1
                    getattr(self, f'_{kind}')(side, x + 0.5, x + width - 0.5, front)
                    x += width

    def _house(self, side: int, x0: float, x1: float, front: float) -> None:
        depth, setback = self.rng.uniform(10, 18), self.rng.uniform(0.3, 4.0)
        y = side * (front + setback + depth / 2)
        self.add(furniture.house(self.rng, x1 - x0, depth, -side), (x0 + x1) / 2, y, KERB_HEIGHT - 0.05)
        if setback > 1.8:
            for x in np.arange(x0 + 1, x1 - 1, 2.2):
                self.add(furniture.bush(self.rng), x, side * (front + 0.9), KERB_HEIGHT)

    def _park(self, side: int, x0: float, x1: float, front: float) -> None:
        rng = self.rng
        self.add(furniture.hill(rng, x1 - x0, 26.0), (x0 + x1) / 2, side * (front + 14.0), KERB_HEIGHT - 0.04)
        for _ in range(int((x1 - x0) / 4.5)):
            self.add(furniture.tree(rng), rng.uniform(x0, x1), side * (front + rng.uniform(2, 24)), 0.0)
        for x in np.arange(x0, x1, 2.0):
            if rng.random() < 0.6:
                self.add(furniture.bush(rng), x, side * (front + 0.8), KERB_HEIGHT)

    def _plaza(self, side: int, x0: float, x1: float, front: float) -> None:
        rng = self.rng
        low, high = sorted((side * front, side * (front + 16)))
        paving = rectangle(x0, x1, low, high, KERB_HEIGHT + 0.005, PAVER, (0.5, 0.4, 0.33), FINE['flat.sidewalk'])
        self.add(paving)
        x = rng.uniform(x0 + 4, x1 - 4)
        pool = box((0, 0, 0), (5.0, 4.0, 0.5), CONCRETE, (0.55, 0.55, 0.52), FINE['static.manmade'])
        self.add(pool, x, side * (front + 7), KERB_HEIGHT)
        self.add(
            rectangle(-2.3, 2.3, -1.8, 1.8, 0.27, WATER, (0.05, 0.12, 0.15), FINE['flat.other']),
            x,
            side * (front + 7),
            KERB_HEIGHT,
        )
        self.add(furniture.house(rng, x1 - x0, 12.0, -side), (x0 + x1) / 2, side * (front + 23), KERB_HEIGHT - 0.05)
        for x in np.arange(x0 + 2, x1 - 2, 5.0):
            self.add(furniture.tree(rng, 0.7), x, side * (front + 3.0), KERB_HEIGHT)

    def roadside(self) -> None:
        """Lamps, signs, lights, trees on the verge, bus shelter, bollards, rail."""
        rng = self.rng
        for side in (-1, 1):
            line = side * (self.kerb + 0.24 + self.verge[side] / 2)
            for x in np.arange(self.start + rng.uniform(0, 8), self.end, 9.0):
                if abs(x - self.crossing) > self.cross_half + 2 and rng.random() < 0.7:
                    self.add(furniture.tree(rng, rng.uniform(0.55, 0.85)), x, line, 0.0)
            for x in np.arange(self.start + rng.uniform(0, 20), self.end, 27.0):
                if abs(x - self.crossing) > self.cross_half + 2:
                    self.add(furniture.lamp_post(), x + 4, side * (self.kerb + 0.7), KERB_HEIGHT, yaw=-side * np.pi / 2)
            for x in np.arange(self.start + rng.uniform(0, 15), self.end, 21.0):
                if abs(x - self.crossing) > self.cross_half + 2:
                    self.add(furniture.sign(rng), x, side * (self.kerb + 0.6), KERB_HEIGHT, yaw=rng.normal(0, 0.1))
            corner = self.crossing - side * self.drive * (self.cross_half + 1.2)
            self.add(
                furniture.traffic_light(),
                corner,
                side * (self.kerb + 0.8),
                KERB_HEIGHT,
                yaw=np.pi if side == self.own else 0.0,
            )
            pavement = side * (self.kerb + 0.24 + self.verge[side] + self.walk[side])
            x = rng.uniform(24, 34)
            self.add(furniture.shelter(), x, pavement - side * 0.9, KERB_HEIGHT, yaw=0.0 if side < 0 else np.pi)

    def kerbside(self) -> None:
        """The parking lanes: every kind of vehicle near the start, then a random mix."""
        rng = self.rng
        for side in (-1, 1):
            y = side * (self.kerb - PARKING / 2 - 0.05)
            heading = 0.0 if side == self.own else np.pi
            # Small ones first, so that lorries do not wall in the ego car at the start; far ones are seen end-on.
            needed = ['bicycle', 'motorcycle', 'bicycle', 'car']
            rng.shuffle(needed)
            large = ['trailer', 'truck', 'bus'] if side == self.own else ['bus', 'trailer', 'truck']
            needed += large
            x = -9.0 if side == self.own else -5.0
            while x < self.end - 10:
                name = needed.pop(0) if needed else _pick(rng)
                mesh, category = _vehicle(rng, name)
                length = float(np.ptp(mesh.bounds[:, 0]))
                if side == self.site_side and x < self.site + 22 and x + length > self.site - 2:
                    x = self.site + 22.5
                    continue
                if abs(x + length / 2 - self.crossing) < self.cross_half + 4 + length / 2:
                    x = self.crossing + self.cross_half + 4.5
                    continue
                small = name in ('bicycle', 'motorcycle')
                yaw = heading + (np.pi / 2 + rng.normal(0, 0.15) if small else rng.normal(0, 0.02))
                attribute = 'cycle.without_rider' if small else VEHICLE_PARKED
                step = 1.3 if small else length
                self.actor(mesh, category, x + step / 2, y, yaw, attribute=attribute)
                x += step + (rng.uniform(0.6, 1.4) if rng.random() < 0.6 else rng.uniform(3, 10))
            x, behind = -11.0, ['bus' if side == self.own else 'trailer']
            while x > self.start + 10:
                name = behind.pop() if behind else _pick(rng)
                mesh, category = _vehicle(rng, name)
                length = float(np.ptp(mesh.bounds[:, 0]))
                if name in ('bus', 'trailer') or rng.random() < 0.6:
                    self.actor(mesh, category, x - length / 2, y, heading, attribute=VEHICLE_PARKED)
                x -= length + rng.uniform(0.8, 8)

    def building_site(self) -> None:
        """A stretch of the parking lane fenced off by barriers and cones, with a machine and workers."""
        rng, side = self.rng, self.site_side
        x0, x1 = self.site, self.site + 20
        line = side * (self.kerb - PARKING - 0.1)
        low, high = sorted((line + side * 0.5, side * (self.kerb - 0.05)))
        self.add(rectangle(x0 + 1, x1 - 1, low, high, 0.03, DIRT, EARTH, FINE['flat.terrain']))
        colours = [(0.8, 0.16, 0.06), (0.85, 0.84, 0.8)]
        for i, x in enumerate(np.arange(x0 + 3.2, x1 - 1, 2.05)):
            mesh = people.barrier(rng, colours[i % 2])
            self.actor(mesh, 'movable_object.barrier', x, line, np.pi / 2 + rng.normal(0, 0.04))
        for x in list(np.linspace(x0 - 5, x0 + 1.5, 5)) + [x1, x1 + 1.5]:
            y = line + side * max(0.0, (x0 + 1 - x) * 0.28)
            self.actor(people.traffic_cone(rng), 'movable_object.trafficcone', x, y, rng.uniform(0, 6))
        machine = vehicles.construction_vehicle(rng)
        heading = 0.0 if rng.random() < 0.5 else np.pi
        y = side * (self.kerb - PARKING / 2 + 0.25)
        self.actor(machine, 'vehicle.construction', x0 + 7.5, y, heading, 0.03, attribute=VEHICLE_PARKED)
        for x in (x0 + 2.2, x0 + 13.5):
            worker, name = people.construction_worker(rng), 'human.pedestrian.construction_worker'
            self.actor(worker, name, x, y, rng.uniform(0, 6), 0.03, attribute='pedestrian.standing')

    def fence(self) -> None:
        """Barriers on the verge of the other side, and cones before them."""
        rng, side = self.rng, -self.site_side
        first = rng.uniform(-12.0, 4.0)
        for i in range(int(rng.integers(4, 8))):
            colour = (0.8, 0.16, 0.06) if i % 2 else (0.85, 0.84, 0.8)
            y = side * (self.kerb + 0.75)
            self.actor(
                people.barrier(rng, colour),
                'movable_object.barrier',
                first + 2.05 * i,
                y,
                np.pi / 2,
                KERB_HEIGHT - 0.02,
            )
        for i in range(4):
            y = side * (self.kerb + 0.75 + rng.normal(0, 0.1))
            self.actor(
                people.traffic_cone(rng),
                'movable_object.trafficcone',
                first - 1.8 - 1.5 * i,
                y,
                0.0,
                KERB_HEIGHT - 0.02,
            )

    def traffic(self) -> None:
        """Moving vehicles in the lanes and ridden cycles beside them."""
        rng = self.rng
        moving = 0
        for own in (True, False):
            side = self.own if own else -self.own
            for lane in range(self.lanes):
                y = side * (self.median + (lane + 0.5) * LANE)
                speed = self.speed if own else rng.uniform(5, 9)
                heading = 0.0 if own else np.pi
                x = (15.0 if lane == self.lanes - 1 else -6.0) + rng.uniform(0, 10) if own else rng.uniform(6, 14)
                limit = self.end - 20
                while x < limit:
                    name = ('motorcycle_ridden', 'car', 'bus', 'bicycle_ridden', 'truck', 'car', 'car')[moving % 7]
                    mesh, category = _vehicle(rng, name)
                    length = float(np.ptp(mesh.bounds[:, 0]))
                    attribute = 'cycle.with_rider' if 'ridden' in name else VEHICLE_MOVING
                    self.actor(
                        mesh,
                        category,
                        x + length / 2,
                        y + rng.normal(0, 0.12),
                        heading,
                        speed=speed,
                        attribute=attribute,
                    )
                    moving += 1
                    x += length + rng.uniform(9, 26)
                if own:
                    mesh, category = _vehicle(rng, 'car' if lane else 'motorcycle_ridden')
                    self.actor(
                        mesh,
                        category,
                        -rng.uniform(13, 20),
                        y,
                        heading,
                        speed=speed,
                        attribute=VEHICLE_MOVING if lane else 'cycle.with_rider',
                    )

    def walkers(self) -> None:
        """People on the pavements, some standing in groups, adults beside children, some crossing the side street."""
        rng = self.rng
        for side in (-1, 1):
            near = self.kerb + 0.24 + self.verge[side]
            for x in np.arange(self.start * 0.4, self.end - 40, 4.5):
                x = x + rng.uniform(-2.5, 2.5)
                y = side * (near + rng.uniform(0.5, self.walk[side] - 0.5))
                standing = rng.random() < 0.3
                yaw = (
                    rng.uniform(0, 2 * np.pi)
                    if standing
                    else (0.0 if rng.random() < 0.5 else np.pi) + rng.normal(0, 0.04)
                )
                speed = 0.0 if standing else rng.uniform(0.8, 1.5)
                attribute = 'pedestrian.standing' if standing else 'pedestrian.moving'
                z = 0.0 if abs(x - self.crossing) < self.cross_half else KERB_HEIGHT
                group = (
                    [('adult', 0.0), ('child', 0.7)]
                    if rng.random() < 0.55
                    else [('adult' if rng.random() < 0.75 else 'child', 0.0)]
                )
                for name, shift in group:
                    mesh = getattr(people, name)(rng)
                    self.actor(
                        mesh, f'human.pedestrian.{name}', x + 0.2 * shift, y - side * shift, yaw, z, speed, attribute
                    )


def _vehicle(rng: np.random.Generator, name: str) -> Tuple[Mesh, str]:
    kind = name.replace('_ridden', '')
    if kind in ('bicycle', 'motorcycle'):
        return getattr(people, kind)(rng, name.endswith('_ridden')), f'vehicle.{kind}'
    return getattr(vehicles, kind)(rng), 'vehicle.bus.rigid' if kind == 'bus' else f'vehicle.{kind}'


def _pick(rng: np.random.Generator) -> str:
    names = ('car', 'truck', 'bus', 'trailer', 'bicycle', 'motorcycle')
    return str(rng.choice(names, p=(0.62, 0.09, 0.05, 0.06, 0.08, 0.1)))


def _light(rng: np.random.Generator) -> Light:
    azimuth, height = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(28, 65))
    sun = np.array([np.cos(azimuth) * np.cos(height), np.sin(azimuth) * np.cos(height), np.sin(height)])
    clouds = rng.uniform(0.15, 0.75)
    strength = 2.2 * (1.0 - 0.55 * clouds)
    return Light(
        sun,
        strength,
        0.75 + 0.4 * clouds,
        rng.uniform(0.0012, 0.004),
        clouds,
        rng.uniform(0, 1),
        rng.uniform(0.85, 1.15),
    )


def build_world(rng: np.random.Generator, seconds: float) -> World:
    """A random street that the ego car drives along for ``seconds``; the same generator state gives the same world."""
    street = Street(rng, seconds)
    for step in ('ground', 'plots', 'roadside', 'building_site', 'fence', 'kerbside', 'traffic', 'walkers'):
        getattr(street, step)()
    lane = street.own * (street.median + 0.5 * LANE)
    paint, drivable, origin, scale = paint_road(rng, street)
    seeds = rng.random(len(street.parts)).astype(np.float32)
    counts = [len(part.faces) for part in street.parts]
    return World(
        static=merge(street.parts),
        seeds=np.repeat(seeds, counts),
        actors=street.actors,
        light=_light(rng),
        paint=paint,
        paint_origin=origin,
        paint_scale=scale,
        drivable=drivable,
        ego=(street.speed, lane, rng.uniform(0.0, 0.15)),
        description=f'{street.lanes} lanes each way, construction site, parked vehicles, pedestrians, side street',
    )
