"""Names of devices."""

from __future__ import annotations

import pytest
import torch

from mmfusion_plugin.apis.device import choose_device


def test_the_default_is_what_there_is(monkeypatch):
    for there, name in ((False, 'cpu'), (True, 'cuda')):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda there=there: there)
        assert choose_device() == torch.device(name)
    assert choose_device('cpu') == torch.device('cpu')


@pytest.mark.parametrize('name', ['xyz', 'cuda:99', 'cpu:x'])
def test_a_device_that_is_not_there(name):
    with pytest.raises(ValueError, match=f"no device '{name}' here"):
        choose_device(name)
