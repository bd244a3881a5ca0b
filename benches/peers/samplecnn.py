"""SampleCNN in plain PyTorch, built from the table of layers that tagwalk keeps in a run's config.json.

Parameters are called conv{i}.weight, bn{i}.weight, head0.weight and so on, as in tagwalk's checkpoints,
so that a state dict and a checkpoint are the same thing. One head.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


def member(module, modules, first, tags=50):
    """The family member module^modules with a first filter of `first` samples, as a table of layers."""
    layers = [dict(cin=1, cout=128, kernel=first, stride=first, padding=[0, 0], pool=1, pool_mode="valid")]
    for i in range(1, modules + 1):
        cout = 512 if i == modules else 128 if i <= 2 else 256
        padding = [(module - 1) // 2, module // 2]
        layers.append(dict(cin=layers[-1]["cout"], cout=cout, kernel=module, stride=1, padding=padding, pool=module, pool_mode="valid"))
    layers.append(dict(cin=512, cout=512, kernel=1, stride=1, padding=[0, 0], pool=1, pool_mode="valid"))
    return dict(clip_length=first * module**modules, tags=tags, bn_eps=1e-3, bn_momentum=0.01, dropout=0.5, layers=layers)


class SampleCNN(nn.Module):
    """wave [clip, sample] in [-1, 1] -> logits [clip, tag].

    channels_last: the same layers as 2-D convolutions over [clip, channel, 1, position] with channels
    innermost in memory.
    """

    def __init__(self, network, channels_last=False):
        super().__init__()
        self.network, self.channels_last = network, channels_last
        length = network["clip_length"]
        for i, layer in enumerate(network["layers"]):
            if layer["pool_mode"] != "valid":
                raise ValueError("only pooling by whole windows is written here")
            left, right = layer["padding"]
            assert left == right, "only symmetric padding is written here"
            if channels_last:
                conv = nn.Conv2d(layer["cin"], layer["cout"], (1, layer["kernel"]), (1, layer["stride"]), (0, left))
                norm = nn.BatchNorm2d(layer["cout"], network["bn_eps"], network["bn_momentum"])
            else:
                conv = nn.Conv1d(layer["cin"], layer["cout"], layer["kernel"], layer["stride"], left)
                norm = nn.BatchNorm1d(layer["cout"], network["bn_eps"], network["bn_momentum"])
            nn.init.uniform_(conv.weight, -((6 / conv.weight[0].numel()) ** 0.5), (6 / conv.weight[0].numel()) ** 0.5)
            nn.init.zeros_(conv.bias)
            self.add_module(f"conv{i}", conv)
            self.add_module(f"bn{i}", norm)
            length = ((length + 2 * left - layer["kernel"]) // layer["stride"] + 1) // layer["pool"]
        self.head0 = nn.Linear(length * network["layers"][-1]["cout"], network["tags"])
        nn.init.xavier_uniform_(self.head0.weight)
        nn.init.zeros_(self.head0.bias)

    def forward(self, wave, mask=None):
        """mask [clip, feature]: 0 or 1 / (1 - rate), given from outside; else dropout is drawn here."""
        x = wave[:, None, :]
        if self.channels_last:
            x = x[:, :, None, :].contiguous(memory_format=torch.channels_last)
        for i, layer in enumerate(self.network["layers"]):
            conv, norm = getattr(self, f"conv{i}"), getattr(self, f"bn{i}")
            x = F.relu(norm(conv(x)), inplace=True)
            if layer["pool"] > 1:
                x = F.max_pool2d(x, (1, layer["pool"])) if self.channels_last else F.max_pool1d(x, layer["pool"])
        # The dense layer reads [position, channel].
        x = x.flatten(2).transpose(1, 2).flatten(1)
        x = F.dropout(x, self.network["dropout"], self.training) if mask is None else x * mask
        return self.head0(x)


def losses(logits, own, propagated, weights):
    """Own and supportive cross-entropy, mean over clips and tags; weights [2, clip]."""
    bce = F.binary_cross_entropy_with_logits
    terms = [bce(logits, labels, reduction="none") * w[:, None] for labels, w in zip((own, propagated), weights)]
    return terms[0].mean(), terms[1].mean()
