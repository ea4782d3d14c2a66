"""Learning on from earlier weights: what is taken, what stays fresh, and what is refused."""

import shutil
from pathlib import Path

import msgspec
import pytest
import torch

from edgecnn.core import evidence, shared
from edgecnn.core.errors import DataError, InputError, RecipeError
from edgecnn.core.evidence import TrainResult
from edgecnn.core.recipe import load_recipe
from edgecnn.core.stage import Job
from edgecnn.models.build import build_model
from edgecnn.train.checkpoint import save_weights
from edgecnn.train.stage import TrainStage
from edgecnn.train.start import start_from

TESTS = Path(__file__).parents[1]
PEOPLE, BOTH = TESTS / "pedestrians.yaml", TESTS / "drive.yaml"
FOURTH_STAGE = ("backbone.stages.3.", "centres.laterals.3.")
SAME = {"model.params": "{backbone: lean_resnet, width: 0.25, depths: [1, 1, 1], neck: 8, head: 8}"}


def written(module, path):
    for tensor in module.state_dict().values():
        tensor.copy_(torch.randint(0, 9, tensor.shape))
    save_weights(path, module)
    return module.state_dict()


def test_a_network_of_the_same_kind_takes_everything(tiny_recipe, tmp_path):
    theirs = written(build_model(tiny_recipe), tmp_path / "w.safetensors")
    module = build_model(tiny_recipe)
    found = start_from(str(tmp_path / "w.safetensors"), module)
    assert (found.taken, found.fresh) == (len(theirs), ())
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize(("of", "to"), [(PEOPLE, BOTH), (BOTH, PEOPLE)])
def test_networks_for_one_task_and_for_two_share_backbone_and_centres(tmp_path, of, to):
    theirs = written(build_model(load_recipe(of, SAME)), tmp_path / "w.safetensors")
    module = build_model(load_recipe(to, SAME))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    found = start_from(str(tmp_path / "w.safetensors"), module)
    short = {name.removeprefix("lanes."): tensor for name, tensor in theirs.items()}
    for name, tensor in module.state_dict().items():
        wanted = before[name] if name in found.fresh else short[name.removeprefix("lanes.")]
        assert torch.equal(tensor, wanted), name
    assert all(name.startswith("lanes.") and ".backbone." not in name for name in found.fresh)
    assert bool(found.fresh) is (to == BOTH)
    assert found.taken + len(found.fresh) == len(before)


def test_layers_of_another_shape_stay_fresh(tiny_recipe, tmp_path):
    class Other(torch.nn.Module):
        def __init__(self, wide):
            super().__init__()
            self.same, self.head = torch.nn.Linear(4, 3), torch.nn.Linear(3, wide)

    theirs = written(Other(5), tmp_path / "w.safetensors")
    module = Other(2)
    head = module.head.weight.detach().clone()
    found = start_from(str(tmp_path / "w.safetensors"), module)
    assert found.fresh == ("head.weight", "head.bias")
    assert torch.equal(module.head.weight, head)
    assert torch.equal(module.same.weight, theirs["same.weight"])


def test_a_name_that_two_layers_end_in_is_nobodys(tmp_path):
    written(torch.nn.ModuleDict({"a": torch.nn.Linear(2, 2), "b": torch.nn.Linear(2, 2)}), tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="holds none of this network's layers"):
        start_from(str(tmp_path / "w.safetensors"), torch.nn.Linear(2, 2))


def test_weights_of_something_else_are_refused(tiny_recipe, tmp_path):
    written(torch.nn.Linear(3, 2), tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="holds none of this network's layers"):
        start_from(str(tmp_path / "w.safetensors"), build_model(tiny_recipe))
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    with pytest.raises(DataError, match="not a safetensors file"):
        start_from(str(tmp_path / "broken.safetensors"), build_model(tiny_recipe))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("none.safetensors", "none.safetensors: no such file"),
        ("folder/none", "folder/none: no such file"),
    ],
)
def test_missing_weights_are_told_before_anything_runs(given, said):
    with pytest.raises(InputError, match=said):
        shared.weights_path(given)
    with pytest.raises(RecipeError, match=rf"--set train.start: {said}"):
        load_recipe(TESTS / "tiny.yaml", {"train.start": given})


def test_what_the_weights_hold_decides_the_result_and_not_where_they_lie(tiny_recipe, tmp_path):
    def key(start):
        section = msgspec.structs.replace(tiny_recipe.train, start=start and str(tmp_path / start))
        return msgspec.to_builtins(TrainStage().parameters(msgspec.structs.replace(tiny_recipe, train=section)))

    written(build_model(tiny_recipe), tmp_path / "a.safetensors")
    shutil.copyfile(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    torch.manual_seed(5)
    written(torch.nn.Linear(3, 2), tmp_path / "c.safetensors")
    assert key("a.safetensors") == key("b.safetensors") != key("c.safetensors")
    assert key(None) != key("a.safetensors")


def test_a_training_goes_on_from_them_and_says_so(tiny_recipe, tiny_data, tmp_path):
    def train(folder, **changes):
        section = msgspec.structs.replace(tiny_recipe.train, **changes)
        (folder / "partial").mkdir(parents=True)
        (folder / "out").mkdir()
        recipe = msgspec.structs.replace(tiny_recipe, train=section)
        TrainStage().run(Job(recipe, {"data": tiny_data}, folder / "out", folder / "partial"))
        return evidence.read(folder / "out" / "train.json", TrainResult)

    first = train(tmp_path / "first")
    weights = str(tmp_path / "first" / "out" / "model.safetensors")
    second = train(tmp_path / "second", start=weights, warmup_epochs=0.0)
    assert first.start is None
    assert second.start.weights == weights
    assert second.start.fresh == ()
    assert second.curve[0].loss < first.curve[0].loss


def test_weights_that_ship_are_those_of_the_recipes_that_start_from_them():
    recipes = [load_recipe(shared.find("recipes", name)) for name in shared.names("recipes")]
    started = [recipe for recipe in recipes if recipe.train.start is not None]
    assert started
    for recipe in started:
        fresh = start_from(recipe.train.start, build_model(recipe)).fresh
        # Of one for people, a network for both tasks takes all but its lanes' layers, a deeper one all but its stage.
        own = FOURTH_STAGE if recipe.name == "pedestrian-weights-deeper" else ("lanes.",)
        others = [name for name in fresh if not name.startswith(own) or name.startswith("lanes.backbone.")]
        assert not others, recipe.name
